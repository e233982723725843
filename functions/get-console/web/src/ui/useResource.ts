import { useQuery } from "@tanstack/react-query";

import type { Tagged } from "../api/client";
import { type Problem, fromFailure } from "../api/problem";

/**
 * What a form changes, with its entity tag, as it was when the form was opened. It is read again only on request, after a conflict: what
 * was typed is kept, and applies to the current state.
 */
export function useResource<T>(key: readonly unknown[], read: (signal: AbortSignal) => Promise<Tagged<T>>) {
    const query = useQuery({ queryKey: ["form", ...key], queryFn: ({ signal }) => read(signal), staleTime: Infinity, gcTime: 0, refetchOnWindowFocus: false, refetchOnReconnect: false });
    const reread = () => query.refetch();
    return {
        data: query.data?.data,
        header: query.data ? { "if-match": query.data.etag } : undefined,
        /** The problem that the form shows, and what can be done about it. */
        problemOf: (problem: Problem | null, clear: () => void) => {
            if (problem) return { problem, retry: problem.status === 412 ? () => void reread().then(clear) : undefined, retryText: "Use the current state" };
            return { problem: query.error && fromFailure(query.error), retry: () => void reread() };
        },
    };
}
