// The super-admin who is signed in. The token is in memory only: a reload signs out, and no script of another page can read it.

import { useSyncExternalStore } from "react";

import type { Schemas } from "./client";

export type Role = Schemas["OperatorRole"];

export interface Session {
    token: string;
    /** The account's id, or the subject at the identity provider if there is no account. */
    id: string;
    /** The same, if there is no account. */
    email: string;
    role: Role;
    /** Signed in at the identity provider, which alone can continue the session. */
    isOfProvider: boolean;
    /** Milliseconds since 1970, by this device's clock. */
    expiresAt: number;
    /** When a new token is asked for, by the same clock. Never, if the session cannot last longer than this token. */
    refreshAt?: number;
    /** The API refused the token. The page stays as it is until somebody signs in again. */
    ended: boolean;
}

let current: Session | undefined;
const listeners = new Set<() => void>();

export function setSession(session: Session | undefined): void {
    current = session;
    listeners.forEach((listener) => listener());
}

export const session = (): Session | undefined => current;

export function endSession(token: string): void {
    if (current?.token === token && !current.ended) setSession({ ...current, ended: true });
}

/** Calls a function after each change of the session. Returns how to end that. */
export function onSessionChange(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
}

export const useSession = (): Session | undefined => useSyncExternalStore(onSessionChange, () => current);
