// Lists that are read page by page.

import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import type { Page } from "./client";

interface Options {
    /** Milliseconds between two reads of a list whose first page alone is shown. */
    every?: number;
}

/** All pages read so far as one list. */
export function useList<T>(key: readonly unknown[], read: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>, { every }: Options = {}) {
    const query = useInfiniteQuery({
        queryKey: key,
        queryFn: ({ pageParam, signal }) => read(pageParam, signal),
        initialPageParam: undefined as string | undefined,
        getNextPageParam: (last) => last.next,
        placeholderData: keepPreviousData,
        // Reading many pages again would move what somebody is reading.
        refetchInterval: (state) => (every && (state.state.data?.pages.length ?? 0) <= 1 ? every : false),
    });
    const items = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
    const total = query.data?.pages[0]?.total;
    return {
        query,
        items,
        total,
        more: query.hasNextPage,
        loading: query.isFetchingNextPage,
        loadMore: () => {
            if (query.hasNextPage && !query.isFetching) void query.fetchNextPage();
        },
    };
}
