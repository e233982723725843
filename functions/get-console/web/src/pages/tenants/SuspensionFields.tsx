import type { Schemas } from "../../api/client";
import { values } from "../../api/generated/operations";
import { oneOf } from "../../api/oneOf";
import type { Problem } from "../../api/problem";
import { Input, Select, errorOf } from "../../ui/form";

type Reason = Schemas["SuspensionReason"];

export const REASONS: Record<Reason, string> = {
    unpaid: "Unpaid invoices",
    abuse: "Abuse, such as spam",
    security: "Somebody else may have access",
    legal: "Demanded by a court or an authority",
    requested: "Requested by the tenant",
    restored_copy: "A restored copy, which must not do the work of its original",
    other: "Another reason",
};

/** Why tenants are suspended, as far as it is chosen and typed. */
export interface Why {
    reason?: Reason;
    comment: string;
}

export const UNEXPLAINED: Why = { comment: "" };

/** The change that suspends a tenant. */
export function suspensionOf({ reason, comment }: Why): Schemas["TenantPatch"] {
    const text = comment.trim();
    return { status: "suspended", ...(reason ? { reason } : {}), ...(text ? { comment: text } : {}) };
}

interface Props {
    why: Why;
    onChange: (why: Why) => void;
    problem?: Problem | null;
    disabled?: boolean;
}

/** Nothing is chosen in advance: the reason is that of a person, not of a form. */
export function SuspensionFields({ why, onChange, problem = null, disabled }: Props) {
    return (
        <>
            <Select
                label="Reason"
                required
                disabled={disabled}
                value={why.reason ?? ""}
                error={errorOf(problem, "/reason")}
                options={[["", "Choose a reason"], ...values.SuspensionReason.map((reason) => [reason, REASONS[reason]] as const)]}
                onChange={(event) => onChange({ ...why, reason: oneOf(values.SuspensionReason, event.target.value) })}
            />
            <Input
                label="Comment"
                maxLength={500}
                disabled={disabled}
                value={why.comment}
                error={errorOf(problem, "/comment")}
                hint="Optional. The event tenant.suspended contains it, so that every service can read it."
                onChange={(event) => onChange({ ...why, comment: event.target.value })}
            />
        </>
    );
}
