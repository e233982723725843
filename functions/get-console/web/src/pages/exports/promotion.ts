// What a promotion of a restored copy needs.

import type { Schemas } from "../../api/client";

type Tenant = Pick<Schemas["Organization"], "slug" | "status" | "schema_version">;

export interface Condition {
    text: string;
    holds: boolean;
    /** How to fulfil it. */
    remedy?: string;
}

/** The conditions that can be seen in the two tenants. */
export function conditionsOf(copy: Tenant, original: Tenant): Condition[] {
    const isGone = original.status === "deleting" || original.status === "deleted";
    return [
        { text: "This copy is suspended, so that nobody writes to it.", holds: copy.status === "suspended", remedy: copy.status === "active" ? "Suspend it." : `It is ${copy.status}.` },
        {
            text: `The original, ${original.slug}, is suspended, so that nothing that is written meanwhile gets lost.`,
            holds: original.status === "suspended",
            remedy: isGone ? `It is ${original.status}. Reactivate this copy instead: it is a tenant of its own.` : original.status === "active" ? "Suspend it: open the original." : `It is ${original.status}.`,
        },
        {
            text: "Both have the same version of the schema.",
            holds: copy.schema_version === original.schema_version,
            remedy: `This copy has version ${copy.schema_version}, the original ${original.schema_version}. Migrate the older one.`,
        },
    ];
}
