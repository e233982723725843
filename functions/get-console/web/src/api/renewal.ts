// When the token of a session is replaced, so that nobody has to sign in again while they work.

/** The parts of a session that have times, all in milliseconds since 1970 by this device's clock. */
export interface Lifetime {
    expiresAt: number;
    refreshAt?: number;
}

/** A token that is valid for hardly longer than the one before: the session has reached its maximum age. */
const MIN_GAIN = 30_000;

const FIRST_DELAY = 5_000;
const MAX_DELAY = 5 * 60_000;

/** The times of a token that was received at a moment. Half of its time is left for further attempts. */
export function lifetimeOf(token: { expires_in: number }, at: number): Lifetime {
    const valid = token.expires_in * 1000;
    return { expiresAt: at + valid, refreshAt: at + valid / 2 };
}

/** The times after a token was replaced. */
export function renewed(before: Lifetime, token: { expires_in: number }, at: number): Lifetime {
    const next = lifetimeOf(token, at);
    return next.expiresAt - before.expiresAt < MIN_GAIN ? { expiresAt: Math.max(next.expiresAt, before.expiresAt) } : next;
}

/**
 * When to try again after a number of failures in succession, the first of which is 1: after a delay that doubles with each, is never more
 * than half of the time that is left, and differs between tabs by `chance`, which is from 0 to 1. The API's own `Retry-After`, in seconds, comes first.
 */
export function nextAttempt({ expiresAt }: Lifetime, failures: number, at: number, chance: number, retryAfter = 0): number {
    const delay = Math.min(FIRST_DELAY * 2 ** (failures - 1), MAX_DELAY) * (0.8 + 0.4 * chance);
    return at + Math.max(Math.min(delay, (expiresAt - at) / 2), 1_000, retryAfter * 1000);
}
