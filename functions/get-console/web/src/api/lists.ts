// Lists that are read page by page.

import { type QueryClient, keepPreviousData, skipToken, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";

import { now } from "./clock";
import { type Page, withFirstPage } from "./pages";
import { isTemporary } from "./problem";

type Item = { id: string };
type Key = readonly unknown[];

interface Options {
    /** Milliseconds between two reads of the first page. */
    every?: number;
    /** The order depends on values that change, such as figures. */
    moving?: boolean;
}

/** Where the pages of a list are kept. Invalidating the list reads its first page only. */
const pagesKey = (key: Key): Key => ["pages", ...key];

interface Next<T> {
    key: Key;
    cursor: string;
    /** `before` is the first page as it was read before, when it is read again. */
    read: (cursor: string | undefined, signal: AbortSignal, before?: Page<T>) => Promise<Page<T>>;
}

/** All pages read so far as one list. The first page is read again regularly and when the window gets the focus; later pages are kept. */
export function useList<T extends Item>(key: Key, read: Next<T>["read"], { every, moving = false }: Options = {}) {
    const queries = useQueryClient();
    const first = useQuery({ queryKey: key, queryFn: ({ signal }) => read(undefined, signal, queries.getQueryData<Page<T>>(key)), placeholderData: keepPreviousData, refetchInterval: every ?? false });
    const kept = useQuery<Page<T>[]>({ queryKey: pagesKey(key), queryFn: skipToken, placeholderData: keepPreviousData });
    const { data, isPlaceholderData } = first;
    const hash = JSON.stringify(key);
    const latest = useRef(key);
    latest.current = key;
    useEffect(() => {
        if (data && !isPlaceholderData) queries.setQueryData<Page<T>[]>(pagesKey(latest.current), (pages = []) => withFirstPage(pages, data, moving));
    }, [data, isPlaceholderData, hash, moving, queries]);
    const next = useMutation({
        mutationFn: ({ cursor, read: readNext }: Next<T>) => readNext(cursor, AbortSignal.timeout(30_000)),
        retry: (count, failure) => count < 2 && isTemporary(failure),
        // The list may have begun anew meanwhile.
        onSuccess: (page, { key: of, cursor }) => queries.setQueryData<Page<T>[]>(pagesKey(of), (pages) => (pages?.at(-1)?.next === cursor ? [...pages, { ...page, readAt: now() }] : pages)),
    });
    const { reset } = next;
    useEffect(() => reset, [hash, reset]);
    const pages = useMemo(() => (data ? (kept.data ?? [data]) : []), [kept.data, data]);
    const items = useMemo(() => pages.flatMap((page) => page.items), [pages]);
    const cursor = kept.isPlaceholderData ? undefined : pages.at(-1)?.next;
    const loadMore = () => {
        if (cursor !== undefined && !next.isPending) next.mutate({ key, cursor, read });
    };
    return {
        first,
        items,
        total: data?.total,
        /** The number of items on the first page, and when the oldest of the later pages was read. */
        later: pages.length > 1 ? { after: pages[0]?.items.length ?? 0, readAt: Math.min(...pages.slice(1).map(({ readAt }) => readAt ?? now())) } : undefined,
        /** More items exist, and nothing prevents reading them. */
        more: cursor !== undefined && !next.isError,
        isWhole: cursor === undefined,
        loading: next.isPending,
        /** Why the next page could not be read. `loadMore` tries again. */
        failure: next.error,
        loadMore,
    };
}

export type List<T extends Item> = ReturnType<typeof useList<T>>;

/** Removes what was read of every list with the name, on all its pages. */
export async function forgetLists(queries: QueryClient, name: string): Promise<void> {
    for (const queryKey of [[name], pagesKey([name])]) {
        await queries.cancelQueries({ queryKey });
        queries.removeQueries({ queryKey, type: "inactive" });
    }
}

/** Shows a change of an item on every page that was read, of every list with the name. */
export function changeInLists<T extends Item>(queries: QueryClient, name: string, id: string, change: (item: T) => T): void {
    queries.setQueriesData<Page<T>[]>({ queryKey: pagesKey([name]) }, (pages) => pages?.map((page) => (page.items.some((item) => item.id === id) ? { ...page, items: page.items.map((item) => (item.id === id ? change(item) : item)) } : page)));
}
