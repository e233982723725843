import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { type Schemas, api, body } from "../../api/client";
import { values } from "../../api/generated/operations";
import { oneOf } from "../../api/oneOf";
import { useSession } from "../../api/session";
import { useIdempotencyKey } from "../../api/useIdempotencyKey";
import { useRenew } from "../../api/useRenew";
import { Copy } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { FormDialog } from "../../ui/FormDialog";
import { Facts, Name, Time } from "../../ui/data";
import { Area, Input, Select, errorOf } from "../../ui/form";
import { useSubmit } from "../../ui/useSubmit";
import { Countdown } from "./Countdown";
import { EndImpersonation } from "./EndImpersonation";

interface Props {
    tenant: Pick<Schemas["Organization"], "id" | "name">;
    user: Schemas["User"];
    onClose: () => void;
}

type Access = Schemas["Access"];

const MEANING: Record<Access, string> = {
    read: "See what the user sees. Services refuse every change.",
    write: "Act as the user. Only owners may; each change is recorded with your name.",
};

/** A form for the reason and the duration; then the token with its permissions, and the button that ends it. */
export function StartImpersonation({ tenant, user, onClose }: Props) {
    const renew = useRenew();
    const { keyOf } = useIdempotencyKey();
    const { busy, problem, submit } = useSubmit();
    const isOwner = useSession()?.role === "owner";
    const [form, setForm] = useState({ reason: "", ticket: "", minutes: "15", access: "read" as Access });
    const [started, setStarted] = useState<Schemas["ImpersonationResponse"]>();
    const set = (change: Partial<typeof form>) => setForm({ ...form, ...change });
    const request: Schemas["ImpersonationRequest"] = { tenant_id: tenant.id, user_id: user.id, reason: form.reason, duration_minutes: Number(form.minutes), access: form.access, ...(form.ticket ? { ticket: form.ticket } : {}) };
    const start = () =>
        submit(async () => {
            setStarted(await body(api.POST("/api/super-admin/impersonations", { body: request, params: { header: { "idempotency-key": keyOf(request) } } })));
            await renew("impersonations", "audit");
        });
    if (started) {
        return (
            <Dialog open onClose={onClose} title={`You may act as ${user.email}`} wide>
                <Countdown until={started.expires_at} />
                <Facts
                    facts={[
                        ["Tenant", <Name key="tenant">{tenant.name}</Name>],
                        ["User", user.email],
                        ["Access", MEANING[started.access]],
                        ["Until", <Time key="until" value={started.expires_at} both seconds />],
                        [
                            "Token",
                            started.token ? (
                                <span className="id" key="token">
                                    <code>{started.token.slice(0, 12)}…</code> <Copy text={started.token} label="Copy the token" />
                                </span>
                            ) : (
                                "not issued"
                            ),
                        ],
                    ]}
                />
                <p className="muted">The token is shown here only, and is not stored. The tenant's admins can read the reason.</p>
                <div className="actions">
                    <EndImpersonation id={started.id} email={user.email} ended={onClose} />
                    <Link to="/impersonations" className="button">
                        All live impersonations
                    </Link>
                </div>
            </Dialog>
        );
    }
    return (
        <FormDialog title={`Impersonate ${user.email}`} onClose={onClose} onSubmit={() => void start()} action="Start the impersonation" busy={busy} problem={problem} request={{ operation: "POST /impersonations", body: { ...request } }}>
            <ul className="consequences">
                <li>The tenant's admins can read your name, the time and the reason.</li>
                <li>It ends by itself, or as soon as you or anybody else ends it.</li>
                <li>The audit log records its start, its end and every refusal.</li>
            </ul>
            <Area label="Reason" required minLength={10} maxLength={500} value={form.reason} error={errorOf(problem, "/reason")} hint="At least 10 characters. The tenant reads it." onChange={(event) => set({ reason: event.target.value })} />
            <Input label="Ticket" maxLength={100} value={form.ticket} error={errorOf(problem, "/ticket")} hint="Optional: where the request is recorded" onChange={(event) => set({ ticket: event.target.value })} />
            <div className="form-row">
                <Input label="Minutes" type="number" min={1} max={60} required value={form.minutes} error={errorOf(problem, "/duration_minutes")} onChange={(event) => set({ minutes: event.target.value })} />
                <Select label="Access" value={form.access} hint={MEANING[form.access]} options={isOwner ? [["read", "Read"], ["write", "Read and write"]] : [["read", "Read"]]} onChange={(event) => set({ access: oneOf(values.Access, event.target.value) ?? form.access })} />
            </div>
        </FormDialog>
    );
}
