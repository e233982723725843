// How often a page reads again what it follows until its end.

import { Problem, isTemporary } from "./problem";

/** Milliseconds between two reads of what has ended, or is refused. */
const SLOW = 15_000;

/** The part of the state of a query that decides. */
interface State<T> {
    data: T | undefined;
    error: unknown;
}

/** A later attempt has hardly another outcome. After the end of a session, nothing is sent until somebody signs in again. */
const isRefused = (failure: unknown): boolean => failure instanceof Problem && failure.status !== 401 && !isTemporary(failure);

/** The time until the next read. */
export const followed =
    <T>(fast: number, isOver: (data: T) => boolean) =>
    ({ state: { data, error } }: { state: State<T> }): number =>
        (data !== undefined && isOver(data)) || isRefused(error) ? SLOW : fast;
