// The pages of a list that were read, as the first of them is read again and again.

export interface Page<T> {
    items: T[];
    next?: string;
    /** The number of all items, if the request asked for it. */
    total?: { value: number; exact: boolean };
    /** When a later page was read, in milliseconds since 1970. */
    readAt?: number;
    /** Its entity tag, if it has one. */
    etag?: string;
}

/**
 * The pages with a new first page. The later ones are kept, without the items that are on the new page. Items that the new page pushed
 * down stay before them; items that vanished from within it are gone. If `moving`, the order of items changes, so that these may be
 * anywhere, and are kept too. If the new page has nothing in common with the old one, items between the two may be unknown, and the
 * list begins anew.
 */
export function withFirstPage<T extends { id: string }>(pages: Page<T>[], fresh: Page<T>, moving = false): Page<T>[] {
    const [old, second, ...others] = pages;
    if (!old || !second || fresh.next === undefined) return [fresh];
    const ids = new Set(fresh.items.map(({ id }) => id));
    const last = old.items.findLastIndex(({ id }) => ids.has(id));
    if (last < 0) return [fresh];
    const pushed = moving ? old.items : old.items.slice(last + 1);
    const kept = [{ ...second, items: [...pushed, ...second.items] }, ...others];
    return [fresh, ...kept.map((page) => (page.items.some(({ id }) => ids.has(id)) ? { ...page, items: page.items.filter(({ id }) => !ids.has(id)) } : page))];
}
