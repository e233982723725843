import { type ReactNode, useState } from "react";

import { type Schemas, api, body } from "../../api/client";
import { now } from "../../api/clock";
import { sentence, utc } from "../../format";
import { Act } from "../../ui/Act";
import { Card, Facts, Id, Time } from "../../ui/data";
import { Area, Input, errorOf } from "../../ui/form";
import { Countdown } from "../impersonations/Countdown";
import type { TenantActProps } from "./useTenantActs";

type Status = Schemas["TenantStatus"];

const DAY = 86_400_000;
const NO_FORM = { reason: "", days: "7", export: false };

/** A tenant that was never active has no data to be restored. */
const wasActive = (status: Status): boolean => status === "active" || status === "suspended";

const isRestorable = ({ purge_after, status_before }: Schemas["Deletion"]): boolean => wasActive(status_before) && Date.parse(purge_after) > now();

/** Deletes a tenant, or restores one that is being deleted. */
export function DeletionActs({ tenant, renewAll, revision }: TenantActProps) {
    const [form, setForm] = useState(NO_FORM);
    const path = { id: tenant.id };
    const hasWindow = wasActive(tenant.status);
    // Without a number, the field itself prevents sending.
    const days = form.days.trim() === "" ? undefined : Number(form.days);
    const deletion: Schemas["DeletionRequest"] = { reason: form.reason, recovery_days: hasWindow ? (days ?? 7) : 0, export: hasWindow && form.export };
    const { status, deletion: begun } = tenant;
    return (
        <>
            <Act
                available={status === "deleting" && begun !== null && isRestorable(begun)}
                name="Restore"
                title={`Restore ${tenant.slug}`}
                kind="primary"
                consequences={[
                    begun?.status_before === "suspended" ? "It is suspended again, as it was before its deletion." : "It is active again, and the platform's services get their access back.",
                    "Nothing of it was removed.",
                    "People have to sign in again, because services ended their sessions.",
                    "Impersonations that its deletion ended do not come back.",
                ]}
                request={{ operation: "POST /tenants/{id}/restore", ids: [tenant.id] }}
                revision={revision}
                act={async (header) => {
                    await body(api.POST("/api/super-admin/tenants/{id}/restore", { params: { path, header } }));
                    await renewAll();
                }}
                done={`${tenant.slug} is restored`}
            />
            <Act
                available={status !== "deleting" && status !== "deleted"}
                name="Delete"
                title={`Delete ${tenant.slug}`}
                kind="danger"
                consequences={[
                    "Nobody can use it, at once: its users are refused, impersonations in it end, and the platform's services lose their access to its databases within a second.",
                    "Every operation on it that has not ended is superseded.",
                    windowText(hasWindow, days),
                    ...(deletion.export ? ["It is exported immediately before the removal. Nothing is removed before the export is complete."] : []),
                    "Then both databases, all objects with every version, and the keys in Redis are removed. Nobody can undo that.",
                    "A signed receipt states what existed and what was removed. Backups and records remain for as long as the receipt says.",
                    deletion.export
                        ? "The export remains until it expires, also when the tenant is deleted, and can be restored into another tenant. The receipt names it. All other exports are removed."
                        : "Nothing is exported, and the exports of it that exist are removed.",
                ]}
                confirm={tenant.slug}
                request={{ operation: "DELETE /tenants/{id}", ids: [tenant.id], query: { confirm: tenant.slug }, body: { ...deletion } }}
                revision={revision}
                act={async (header) => {
                    await body(api.DELETE("/api/super-admin/tenants/{id}", { params: { path, header, query: { confirm: tenant.slug } }, body: deletion }));
                    await renewAll();
                }}
                done={`${tenant.slug} is being deleted`}
                onClose={() => setForm(NO_FORM)}
            >
                {(problem) => (
                    <>
                        <Area label="Reason" required minLength={10} maxLength={500} value={form.reason} error={errorOf(problem, "/reason")} hint="At least 10 characters, without personal data. The receipt contains it." onChange={(event) => setForm({ ...form, reason: event.target.value })} />
                        {hasWindow && (
                            <Input
                                label="Days in which it can be restored"
                                type="number"
                                min={0}
                                max={30}
                                step={1}
                                required
                                value={form.days}
                                error={errorOf(problem, "/recovery_days")}
                                hint="From 0 to 30. With 0, everything is removed at once."
                                onChange={(event) => setForm({ ...form, days: event.target.value })}
                            />
                        )}
                        {hasWindow && (
                            <label className="check">
                                <input type="checkbox" checked={form.export} onChange={(event) => setForm({ ...form, export: event.target.checked })} /> Export it before anything is removed
                            </label>
                        )}
                    </>
                )}
            </Act>
        </>
    );
}

/** How long a tenant can be restored, as a consequence of its deletion. */
function windowText(hasWindow: boolean, days: number | undefined): string {
    if (!hasWindow) return "It was never active, so that there is nothing to restore: everything is removed at once.";
    if (days === 0) return "It cannot be restored: everything is removed at once.";
    if (days === undefined || !Number.isInteger(days) || days < 0 || days > 30) return "It can be restored for some days. Until then, its slug stays reserved.";
    return `It can be restored for ${days} ${days === 1 ? "day" : "days"}, until about ${utc(new Date(now() + days * DAY))}. Until then, its slug stays reserved.`;
}

export function DeletionCard({ deletion, status }: { deletion: Schemas["Deletion"]; status: Status }) {
    const { reason, requested_at, requested_by, purge_after, status_before } = deletion;
    const isOpen = status === "deleting" && isRestorable(deletion);
    const left: [string, ReactNode][] = isOpen ? [["Time left to restore it", <Countdown key="left" until={purge_after} small />]] : [];
    return (
        <Card title="Deletion">
            <Facts
                facts={[
                    ["Reason", reason],
                    ["Requested", <Time key="requested" value={requested_at} both seconds />],
                    ["Requested by", <Id key="by" value={requested_by} label="super-admin's id" />],
                    ["Status before", sentence(status_before)],
                    ["Removal begins", <Time key="after" value={purge_after} both seconds />],
                    ...left,
                ]}
            />
            {status === "deleting" && (
                <p role="status">{isOpen ? "Nothing is removed yet, and nobody can use the tenant." : "Everything is being removed. The tenant cannot be restored any more."}</p>
            )}
        </Card>
    );
}
