// Everything that can go wrong with a request, as one type that a person can be shown.

import type { components } from "./generated/schema";

type Details = components["schemas"]["ProblemDetails"];

export class Problem extends Error {
    constructor(
        /** The HTTP status; 0 if no response arrived. */
        readonly status: number,
        readonly title: string,
        readonly detail: string,
        readonly details?: Partial<Details>,
        /** Seconds until another attempt can succeed. */
        readonly retryAfter?: number,
        readonly requestId?: string,
    ) {
        super(`${title}: ${detail}`);
    }

    /** The name of the type, such as `precondition-failed`. */
    get type(): string {
        return this.details?.type?.split("/").pop() ?? "";
    }

    /** The error of a field of the request's body. */
    ofField(pointer: string): string | undefined {
        return this.details?.errors?.find((error) => error.pointer === pointer)?.detail;
    }
}

export function fromResponse(response: Response, body: unknown): Problem {
    const details = typeof body === "object" && body !== null ? (body as Partial<Details> & { message?: string }) : {};
    const after = Number(response.headers.get("retry-after"));
    return new Problem(
        response.status,
        details.title ?? `The API responded with ${response.status}`,
        details.detail ?? details.message ?? "The response contains no explanation",
        details,
        Number.isFinite(after) && after > 0 ? after : undefined,
        response.headers.get("x-request-id") ?? undefined,
    );
}

export function fromFailure(failure: unknown): Problem {
    if (failure instanceof Problem) return failure;
    if (failure instanceof TypeError) {
        const detail = navigator.onLine
            ? "No response arrived from the API. Whether a change was made is unknown; repeating it is safe."
            : "This device has no network connection.";
        return new Problem(0, "No connection", detail);
    }
    return new Problem(-1, "The console failed", failure instanceof Error ? failure.message : String(failure));
}

/** A later attempt may succeed without a change of the request. */
export const isTemporary = (failure: unknown): boolean => !(failure instanceof Problem) || failure.status === 0 || failure.status === 503;

/** What a person can do about it. */
export function remedy(problem: Problem): string {
    switch (problem.status) {
        case 0:
            return "Check the connection and try again. What you typed is kept.";
        case 401:
            return "Sign in again. What you typed is kept.";
        case 403:
            return "Ask an owner for a role that permits it.";
        case 404:
            return "It may have been removed. Go back to the list.";
        case 409:
        case 412:
            return "Look at the current state and decide again.";
        case 429:
            return problem.retryAfter ? `Try again in ${problem.retryAfter} s.` : "Try again in a few seconds.";
        case 503:
            return "A store that this needs is down. Health shows which. Try again; what you typed is kept.";
        default:
            return problem.status >= 500 ? "Try again. If the problem persists, report the request id." : "";
    }
}
