// Replaces the token of the session silently. It is in memory only, and the page keeps everything that was typed.

import { api, body } from "./client";
import { fromFailure } from "./problem";
import { nextAttempt, renewed } from "./renewal";
import { type Session, onSessionChange, session, setSession } from "./session";

/** A sleeping device stops timers, so that none is longer. */
const MAX_WAIT = 30_000;

let timer: ReturnType<typeof setTimeout> | undefined;
let isRunning = false;
/** In succession, of one token. */
let failures = { token: "", count: 0 };

/** Refreshes each session until it ends. Called once. */
export function keepSessions(): void {
    onSessionChange(schedule);
    // After a sleep or a lost network, at once.
    window.addEventListener("online", schedule);
    document.addEventListener("visibilitychange", schedule);
}

function schedule(): void {
    clearTimeout(timer);
    const current = session();
    if (!current || current.ended || current.refreshAt === undefined) return;
    const wait = current.refreshAt - Date.now();
    if (wait > 0) timer = setTimeout(schedule, Math.min(wait, MAX_WAIT));
    else if (navigator.onLine) void refresh(current);
}

async function refresh(before: Session): Promise<void> {
    // Timers and events may come together.
    if (isRunning) return;
    isRunning = true;
    try {
        const signal = AbortSignal.timeout(15_000);
        const token = await body(api.POST("/api/super-admin/auth/refresh", { signal }));
        change(before, { token: token.access_token, refreshAt: undefined, ...renewed(before, token, Date.now()) });
        await refreshRole();
    } catch (failure) {
        const { status, retryAfter } = fromFailure(failure);
        failures = { token: before.token, count: failures.token === before.token ? failures.count + 1 : 1 };
        // A later attempt cannot change these.
        const isFinal = status === 403 || status === 404 || status === 409;
        change(before, { refreshAt: isFinal ? undefined : nextAttempt(before, failures.count, Date.now(), Math.random(), retryAfter) });
    } finally {
        isRunning = false;
        schedule();
    }
}

/** Reads the role again, which an owner may have changed. If that fails, the acts of the last known role stay; the API itself decides. */
async function refreshRole(): Promise<void> {
    const before = session();
    if (!before || before.ended) return;
    try {
        const { role } = await body(api.GET("/api/super-admin/auth/session", { signal: AbortSignal.timeout(15_000) }));
        if (role !== before.role) change(before, { role });
    } catch {
        // The next refresh reads it again.
    }
}

/** Changes the session unless it has ended or another token has taken the place of its token meanwhile. */
function change(before: Session, to: Partial<Session>): void {
    const current = session();
    if (current?.token === before.token && !current.ended) setSession({ ...current, ...to });
}
