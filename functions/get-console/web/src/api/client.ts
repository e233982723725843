// Calls of the API, typed by its description.

import createClient, { type Middleware } from "openapi-fetch";

import type { components, paths } from "./generated/schema";
import { fromFailure, fromResponse } from "./problem";
import { endSession, session } from "./session";

export type Schemas = components["schemas"];

const authorization: Middleware = {
    onRequest({ request }) {
        const token = session()?.token;
        if (token && !request.headers.has("authorization")) request.headers.set("authorization", `Bearer ${token}`);
        return request;
    },
    onResponse({ request, response }) {
        // Signing in answers 401 to a wrong password.
        const token = request.headers.get("authorization")?.replace("Bearer ", "");
        if (response.status === 401 && token) endSession(token);
        return response;
    },
};

export const api = createClient<paths>({ baseUrl: window.location.origin });
api.use(authorization);

interface Answer<T> {
    data?: T;
    error?: unknown;
    response: Response;
}

/** The body of a successful response; otherwise throws a `Problem`. */
export async function body<T>(call: Promise<Answer<T>>): Promise<T> {
    return (await whole(call)).data;
}

/** The body of a successful response with its entity tag. */
export async function tagged<T>(call: Promise<Answer<T>>): Promise<{ data: T; etag: string }> {
    const { data, response } = await whole(call);
    return { data, etag: response.headers.get("etag") ?? "" };
}

export interface Page<T> {
    items: T[];
    next?: string;
    /** The number of all items, if the request asked for it. */
    total?: { value: number; exact: boolean };
}

/** A page of a list, with the cursor of the next. */
export async function page<T>(call: Promise<Answer<T[]>>): Promise<Page<T>> {
    const { data, response } = await whole(call);
    const link = response.headers.get("link")?.match(/<([^>]*)>;\s*rel="next"/)?.[1];
    const next = link ? (new URL(link, window.location.origin).searchParams.get("cursor") ?? undefined) : undefined;
    const count = response.headers.get("x-total-count");
    const total = count === null ? undefined : { value: Number(count), exact: response.headers.get("x-total-count-relation") !== "gte" };
    return { items: data, next, total };
}

async function whole<T>(call: Promise<Answer<T>>): Promise<{ data: T; response: Response }> {
    let answer: Answer<T>;
    try {
        answer = await call;
    } catch (failure) {
        throw fromFailure(failure);
    }
    if (!answer.response.ok) throw fromResponse(answer.response, answer.error);
    return { data: answer.data as T, response: answer.response };
}
