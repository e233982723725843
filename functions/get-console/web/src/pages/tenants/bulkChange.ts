// One change of many tenants: what it would do to each, and doing it.

import { type Schemas, api, body, tagged } from "../../api/client";
import { fromFailure } from "../../api/problem";
import { number, sentence } from "../../format";
import type { Limit } from "../../limits";

export type Change = Schemas["TenantPatch"];
/** What a change depends on, as it was when it was read. */
export type Snapshot = Pick<Schemas["Organization"], "id" | "status" | "limits" | "on_limit" | "restored_from">;
export type Figure = keyof Schemas["Limits"];

export const LIMITS: [Figure, string][] = [
    ["max_agents", "Agents"],
    ["max_contacts", "Contacts"],
    ["max_messages_month", "Messages a month"],
];

const shown = (value: Limit): string => (value === null ? "unlimited" : number(value));

/** What a change would do to a tenant, or why it cannot. */
export function preview(tenant: Snapshot, change: Change): { text: string; possible: boolean } {
    if (change.status) {
        const from = change.status === "suspended" ? "active" : "suspended";
        if (tenant.status !== from) return { text: `stays ${tenant.status}`, possible: false };
        // Its reactivation has a danger of its own, which its page explains.
        if (change.status === "active" && tenant.restored_from) return { text: "stays suspended: a restored copy is reactivated on its own page", possible: false };
        return { text: `${from} → ${change.status}`, possible: true };
    }
    const parts = LIMITS.flatMap(([name, label]) => {
        const next = change.limits?.[name];
        if (next === undefined || next === tenant.limits[name]) return [];
        return [`${label.toLowerCase()} ${shown(tenant.limits[name])} → ${shown(next)}`];
    });
    if (change.on_limit && change.on_limit !== tenant.on_limit) parts.push(`at a limit ${sentence(tenant.on_limit).toLowerCase()} → ${sentence(change.on_limit).toLowerCase()}`);
    return parts.length > 0 ? { text: parts.join(", "), possible: true } : { text: "nothing changes", possible: false };
}

export interface Result {
    outcome: "changed" | "skipped" | "conflict" | "failed";
    text: string;
    /** The tenant as it is now, if that was read. */
    now?: Schemas["Organization"];
    /** What prevents this change prevents the others as well, such as a session that has ended. */
    isGeneral?: boolean;
}

/** Changes a tenant if the change does to its current state what the preview showed, and nobody else changes it meanwhile. */
export async function applyTo(tenant: Snapshot, change: Change): Promise<Result> {
    const path = { id: tenant.id };
    let now: Schemas["Organization"] | undefined;
    try {
        const current = await tagged(api.GET("/api/super-admin/tenants/{id}", { params: { path } }));
        now = current.data;
        const { text, possible } = preview(now, change);
        if (!possible) return { outcome: "skipped", text, now };
        if (text !== preview(tenant, change).text) return { outcome: "conflict", text: "It has changed since the preview. Look at the new preview, and try again.", now };
        now = await body(api.PATCH("/api/super-admin/tenants/{id}", { params: { path, header: { "if-match": current.etag } }, body: change }));
        return { outcome: "changed", text, now };
    } catch (failure) {
        const problem = fromFailure(failure);
        if (problem.status === 412) return { outcome: "conflict", text: "Another change was made at the same moment. Try again.", now };
        return { outcome: "failed", text: problem.detail, now, isGeneral: [0, 401, 403, 429].includes(problem.status) };
    }
}
