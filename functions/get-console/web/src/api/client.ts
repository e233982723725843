// Calls of the API, typed by its description.

import createClient, { type Middleware } from "openapi-fetch";

import { learnTime } from "./clock";
import type { components, paths } from "./generated/schema";
import type { Page } from "./pages";
import { Problem, fromFailure, fromResponse } from "./problem";
import { endSession, session } from "./session";

export type Schemas = components["schemas"];

/** The requests by which people sign in, which need no token. A refusal of one does not end the session that is being replaced. */
const SIGN_IN: (keyof paths)[] = ["/api/super-admin/auth/login", "/api/super-admin/auth/exchange"];

/** When each request was sent, by this device's clock. */
const sent = new WeakMap<Request, number>();

const authorization: Middleware = {
    onRequest({ request, schemaPath }) {
        const current = session();
        if (current && !request.headers.has("authorization") && !SIGN_IN.some((path) => path === schemaPath)) {
            // After the end of a session, only signing in again is sent.
            if (current.ended) throw new Problem(401, "Session ended", "Your session has ended");
            request.headers.set("authorization", `Bearer ${current.token}`);
        }
        sent.set(request, Date.now());
        return request;
    },
    onResponse({ request, response }) {
        const received = Date.now();
        learnTime(response.headers.get("date"), sent.get(request) ?? received, received);
        const token = request.headers.get("authorization")?.replace("Bearer ", "");
        if (response.status === 401 && token) endSession(token);
        return response;
    },
};

export const api = createClient<paths>({ baseUrl: window.location.origin });
api.use(authorization);

export interface Answer<T> {
    data?: T;
    error?: unknown;
    response: Response;
}

/** The body of a successful response; otherwise throws a `Problem`. */
export async function body<T>(call: Promise<Answer<T>>): Promise<T> {
    return (await whole(call)).data;
}

export interface Tagged<T> {
    data: T;
    etag: string;
}

/** The body of a successful response with its entity tag. A response 304 is what was read `before`. */
export async function tagged<T>(call: Promise<Answer<T>>, before?: Tagged<T>): Promise<Tagged<T>> {
    const { data, response } = await whole(call, before?.data);
    return { data, etag: response.headers.get("etag") ?? before?.etag ?? "" };
}

/** A page of a list, with the cursor of the next. A response 304 is what was read `before`. */
export async function page<T>(call: Promise<Answer<T[]>>, before?: Page<T>): Promise<Page<T>> {
    const { data, response } = await whole(call, before?.items);
    if (response.status === 304 && before) return before;
    const link = response.headers.get("link")?.match(/<([^>]*)>;\s*rel="next"/)?.[1];
    const next = link ? (new URL(link, window.location.origin).searchParams.get("cursor") ?? undefined) : undefined;
    const count = response.headers.get("x-total-count");
    const total = count === null ? undefined : { value: Number(count), exact: response.headers.get("x-total-count-relation") !== "gte" };
    return { items: data, next, total, etag: response.headers.get("etag") ?? undefined };
}

/** The header of a request for what was read `before`, so that it is not sent again unless it has changed. */
export const ifChanged = (before: { etag?: string } | undefined): { "if-none-match"?: string } => (before?.etag ? { "if-none-match": before.etag } : {});

async function whole<T>(call: Promise<Answer<T>>, before?: T): Promise<{ data: T; response: Response }> {
    let answer: Answer<T>;
    try {
        answer = await call;
    } catch (failure) {
        throw fromFailure(failure);
    }
    if (answer.response.status === 304 && before !== undefined) return { data: before, response: answer.response };
    if (!answer.response.ok) throw fromResponse(answer.response, answer.error);
    return { data: answer.data as T, response: answer.response };
}
