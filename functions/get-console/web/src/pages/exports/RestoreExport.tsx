import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { type Schemas, api, body } from "../../api/client";
import { useIdempotencyKey } from "../../api/useIdempotencyKey";
import { useRenew } from "../../api/useRenew";
import { Act } from "../../ui/Act";
import { Area, Input, errorOf } from "../../ui/form";
import type { Export } from "./exportData";

const NO_FORM = { slug: "", name: "", reason: "" };

/** Restores an export into another tenant, beside the one with this slug. */
export function RestoreExport({ of, slug }: { of: Export; slug: string }) {
    const renew = useRenew();
    const navigate = useNavigate();
    const { keyOf, forget } = useIdempotencyKey();
    const [form, setForm] = useState(NO_FORM);
    const set = (change: Partial<typeof form>) => setForm({ ...form, ...change });
    const [newSlug, name] = [form.slug.trim(), form.name.trim()];
    const request: Schemas["RestoreRequest"] = { reason: form.reason, ...(newSlug ? { slug: newSlug } : {}), ...(name ? { name } : {}) };
    const path = { id: of.tenant_id, export_id: of.id };
    return (
        <Act
            available={of.status === "complete"}
            name="Restore into a new tenant"
            title={`Restore the export of ${slug}`}
            kind="primary"
            consequences={[
                `A new tenant is created, with databases and objects of its own. ${slug} itself is not changed.`,
                "Its databases are filled from the export, and compared with it. Objects that do not exist any more are counted, and left out.",
                "It ends suspended, and no service has access to it: an active copy would do the work of its original a second time.",
                "Then you can look at it, and either reactivate it as a tenant of its own, or promote it, so that the original gets its databases.",
            ]}
            request={{ operation: "POST /tenants/{id}/exports/{export_id}/restore", ids: [of.tenant_id, of.id], body: { ...request } }}
            act={async () => {
                const copy = await body(api.POST("/api/super-admin/tenants/{id}/exports/{export_id}/restore", { params: { path, header: { "idempotency-key": keyOf(request) } }, body: request }));
                forget();
                await renew("tenants", "operations", "audit");
                await navigate({ to: "/tenants/$id", params: { id: copy.id } });
            }}
            done="The export is being restored"
            onClose={() => setForm(NO_FORM)}
        >
            {(problem) => (
                <>
                    <Input
                        label="Slug of the new tenant"
                        maxLength={48}
                        spellCheck={false}
                        autoComplete="off"
                        value={form.slug}
                        error={errorOf(problem, "/slug") ?? (problem?.type === "slug-taken" ? problem.detail : undefined)}
                        hint={`Optional; by default ${slug} with a suffix.`}
                        onChange={(event) => set({ slug: event.target.value })}
                    />
                    <Input label="Name of the new tenant" maxLength={120} value={form.name} error={errorOf(problem, "/name")} hint="Optional; by default the name at the time of the export." onChange={(event) => set({ name: event.target.value })} />
                    <Area label="Reason" required minLength={10} maxLength={500} value={form.reason} error={errorOf(problem, "/reason")} hint="At least 10 characters, without personal data. The audit log contains it." onChange={(event) => set({ reason: event.target.value })} />
                </>
            )}
        </Act>
    );
}
