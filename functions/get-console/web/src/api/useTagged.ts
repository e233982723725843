import { type UseQueryOptions, useQuery, useQueryClient } from "@tanstack/react-query";

import { type Answer, type Tagged, ifChanged, tagged } from "./client";

type Options<T> = Pick<UseQueryOptions<Tagged<T>>, "refetchInterval">;

/** Reads again and again what has an entity tag. What did not change since is not sent again. */
export function useTagged<T>(key: readonly unknown[], read: (header: { "if-none-match"?: string }, signal: AbortSignal) => Promise<Answer<T>>, options: Options<T>) {
    const queries = useQueryClient();
    return useQuery<Tagged<T>>({
        ...options,
        queryKey: key,
        queryFn: ({ signal }) => {
            const before = queries.getQueryData<Tagged<T>>(key);
            return tagged(read(ifChanged(before), signal), before);
        },
    });
}
