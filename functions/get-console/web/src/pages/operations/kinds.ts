// What each kind of operation does, in words, and what can be done about it.

import type { Schemas } from "../../api/client";
import { sentence } from "../../format.ts";

type Operation = Schemas["Operation"];
type Kind = Schemas["OperationKind"];

interface Meaning {
    name: string;
    meaning: string;
    /** What its next attempt does at once, if somebody asks for it. */
    retry: string;
    /** What abandoning it does. The API tries kinds without it until they succeed, and only makes them due. */
    rollback?: string[];
}

const REMOVED = ["All steps so far are undone; databases that they created are removed.", "The tenant becomes failed, and can be retried later."];

const KINDS: Record<Kind, Meaning> = {
    provision: { name: "Provisioning", meaning: "Creates the databases of a new tenant.", retry: "The next attempt begins at once, not at its planned time.", rollback: REMOVED },
    retry: { name: "Repeated provisioning", meaning: "Creates the databases of a tenant whose provisioning failed.", retry: "The next attempt begins at once, not at its planned time.", rollback: REMOVED },
    cleanup: { name: "Cleanup", meaning: "Removes what is left of databases that should not exist any more.", retry: "The next attempt begins at once, not at its planned time." },
    suspend: { name: "Suspension", meaning: "Takes the access to the tenant's databases from the platform's services.", retry: "The services lose their access at once, as soon as the stores answer." },
    resume: { name: "Reactivation", meaning: "Gives the platform's services their access to the tenant's databases again.", retry: "The services get their access at once, as soon as the stores answer." },
    purge: {
        name: "Purge",
        meaning: "Takes the services' access at once, and removes everything of the tenant after the time in which it can be restored.",
        retry: "The next attempt begins at once. It removes nothing while the tenant can still be restored.",
    },
    export: {
        name: "Export",
        meaning: "Copies the tenant's databases, and the list of its objects, to files.",
        retry: "The next attempt begins at once, not at its planned time.",
        rollback: ["Its files so far are removed, and the export has failed.", "The tenant is not changed."],
    },
    restore: {
        name: "Restore of an export",
        meaning: "Creates a restored copy beside the tenant that was exported, fills it, and compares it with the export.",
        retry: "The next attempt begins at once, not at its planned time.",
        rollback: ["All steps so far are undone; the databases of the copy are removed.", "The copy becomes failed. It cannot be retried; the export can be restored again."],
    },
    promote: {
        name: "Promotion",
        meaning: "Copies the objects that a tenant lacks, after it has got the databases of its restored copy.",
        retry: "The next attempt begins at once, not at its planned time.",
    },
};

// A newer API may have kinds that this console does not know.
const meaningOf = (kind: string): Meaning | undefined => (Object.hasOwn(KINDS, kind) ? KINDS[kind as Kind] : undefined);

export const nameOf = (kind: string): string => meaningOf(kind)?.name ?? sentence(kind);

export const isOver = ({ status }: Pick<Operation, "status">): boolean => status === "succeeded" || status === "failed" || status === "superseded";

export const retryText = (kind: Kind): string => meaningOf(kind)?.retry ?? "The next attempt begins at once.";

export const explanationOf = (kind: Kind): string | undefined => meaningOf(kind)?.meaning;

/** What abandoning an operation of the kind does. */
export const rollbackText = (kind: Kind): string[] => meaningOf(kind)?.rollback ?? [];

/** A newer one takes the place of an operation that changes the services' access; only a restore takes a purge back. */
export const isAbandonable = ({ kind, status }: Pick<Operation, "kind" | "status">): boolean => !isOver({ status }) && status !== "undoing" && rollbackText(kind).length > 0;

const STATES: Record<Operation["status"], string> = {
    pending: "It waits for a worker.",
    running: "A worker executes its steps.",
    undoing: "Its steps are being undone; nothing will be left behind.",
    succeeded: "All steps succeeded.",
    failed: "It has failed, and nothing is left behind.",
    superseded: "A newer operation took its place before it ended.",
};

/** What happens with it at a time of the API, in milliseconds since 1970. */
export function stateOf({ kind, status, fault, next_attempt_at }: Pick<Operation, "kind" | "status" | "fault" | "next_attempt_at">, at: number): string {
    const waits = (status === "pending" || status === "running") && fault === null && next_attempt_at !== null && Date.parse(next_attempt_at) > at;
    return kind === "purge" && waits ? "It waits until the tenant cannot be restored any more. Nothing is removed before." : STATES[status];
}
