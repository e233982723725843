// The fields of a tenant as a form has them, and what became of them on both sides.

import type { Schemas } from "../../api/client";
import { values as known } from "../../api/generated/operations.ts";
import { oneOf } from "../../api/oneOf.ts";
import { limitText, readLimit } from "../../limits.ts";

export const LIMITS = ["max_agents", "max_contacts", "max_messages_month"] as const;
export const FIELDS = ["name", ...LIMITS, "on_limit"] as const;
export type Field = (typeof FIELDS)[number];
export type Values = Record<Exclude<Field, "on_limit">, string> & { on_limit: Schemas["OnLimit"] };

export type Editable = Pick<Schemas["Organization"], "id" | "name" | "limits" | "on_limit">;

export const valuesOf = ({ name, limits, on_limit }: Editable): Values => ({
    name,
    max_agents: limitText(limits.max_agents),
    max_contacts: limitText(limits.max_contacts),
    max_messages_month: limitText(limits.max_messages_month),
    on_limit,
});

/** The fields that differ, as a patch; `undefined` if one of them is no limit. */
export function patchOf(from: Values, to: Values): Schemas["TenantPatch"] | undefined {
    const limits: Schemas["LimitsBody"] = {};
    for (const field of LIMITS) {
        if (from[field] === to[field]) continue;
        const { value } = readLimit(to[field]);
        if (value === undefined) return undefined;
        limits[field] = value;
    }
    return {
        ...(from.name === to.name ? {} : { name: to.name }),
        ...(Object.keys(limits).length > 0 ? { limits } : {}),
        ...(from.on_limit === to.on_limit ? {} : { on_limit: to.on_limit }),
    };
}

/** Mine on top of theirs. Fields that only one side changed are that side's; the choice decides about the others. */
export function merged(base: Values, theirs: Values, mine: Values, choice: "mine" | "theirs"): Values {
    const text = (field: Field): string => (mine[field] !== base[field] && (choice === "mine" || theirs[field] === base[field]) ? mine[field] : theirs[field]);
    return { name: text("name"), max_agents: text("max_agents"), max_contacts: text("max_contacts"), max_messages_month: text("max_messages_month"), on_limit: oneOf(known.OnLimit, text("on_limit")) ?? theirs.on_limit };
}

/** The fields that are not the same on all sides. */
export const differing = (base: Values, theirs: Values, mine: Values): Field[] => FIELDS.filter((field) => new Set([base[field], theirs[field], mine[field]]).size > 1);
