import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useRef, useState } from "react";

import { type Schemas, api, body } from "../../api/client";
import { type Problem, fromFailure } from "../../api/problem";
import { useSession } from "../../api/session";
import { Button } from "../../ui/Button";
import { Copy, CopyAsCurl } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Area, Input, Select, errorOf } from "../../ui/form";
import { Facts, Name, Time } from "../../ui/data";
import { ProblemNote } from "../../ui/state";
import { Countdown, EndImpersonation } from "./ImpersonationList";

interface Props {
    tenant: Pick<Schemas["Organization"], "id" | "name">;
    user: Schemas["User"];
    onClose: () => void;
}

type Access = Schemas["Access"];

const MEANING: Record<Access, string> = {
    read: "Look at what the user sees. Services refuse every change.",
    write: "Act as the user. Only owners may; each change is recorded with your name.",
};

/** Asks who, why and how long; then shows the token with what it may do, and how to end it. */
export function StartImpersonation({ tenant, user, onClose }: Props) {
    const queries = useQueryClient();
    const isOwner = useSession()?.role === "owner";
    const key = useRef({ key: crypto.randomUUID(), of: "" });
    const [form, setForm] = useState({ reason: "", ticket: "", minutes: "15", access: "read" as Access });
    const [started, setStarted] = useState<Schemas["ImpersonationResponse"]>();
    const [problem, setProblem] = useState<Problem | null>(null);
    const [busy, setBusy] = useState(false);
    const set = (change: Partial<typeof form>) => setForm({ ...form, ...change });
    const request: Schemas["ImpersonationRequest"] = { tenant_id: tenant.id, user_id: user.id, reason: form.reason, duration_minutes: Number(form.minutes), access: form.access, ...(form.ticket ? { ticket: form.ticket } : {}) };
    const submit = async (event: FormEvent) => {
        event.preventDefault();
        if (busy) return;
        setBusy(true);
        setProblem(null);
        const text = JSON.stringify(request);
        if (key.current.of !== text) key.current = { key: crypto.randomUUID(), of: text };
        try {
            setStarted(await body(api.POST("/api/super-admin/impersonations", { body: request, params: { header: { "idempotency-key": key.current.key } } })));
            await queries.invalidateQueries({ queryKey: ["impersonations"] });
        } catch (failure) {
            setProblem(fromFailure(failure));
        } finally {
            setBusy(false);
        }
    };
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
        <Dialog open onClose={onClose} title={`Impersonate ${user.email}`}>
            <form onSubmit={(event) => void submit(event)}>
                <ul className="consequences">
                    <li>The tenant's admins can read who, when and why.</li>
                    <li>It ends by itself, or as soon as you or anybody else ends it.</li>
                    <li>The audit log records its start, its end and every refusal.</li>
                </ul>
                <Area label="Reason" required minLength={10} maxLength={500} value={form.reason} error={errorOf(problem, "/reason")} hint="At least 10 characters. The tenant reads it." onChange={(event) => set({ reason: event.target.value })} />
                <Input label="Ticket" maxLength={100} value={form.ticket} error={errorOf(problem, "/ticket")} hint="Optional: where the request is recorded" onChange={(event) => set({ ticket: event.target.value })} />
                <div className="form-row">
                    <Input label="Minutes" type="number" min={1} max={60} required value={form.minutes} error={errorOf(problem, "/duration_minutes")} onChange={(event) => set({ minutes: event.target.value })} />
                    <Select label="Access" value={form.access} hint={MEANING[form.access]} options={isOwner ? [["read", "Read"], ["write", "Read and write"]] : [["read", "Read"]]} onChange={(event) => set({ access: event.target.value as Access })} />
                </div>
                {problem && <ProblemNote problem={problem} />}
                <div className="actions">
                    <Button type="submit" kind="primary" busy={busy}>
                        Start the impersonation
                    </Button>
                    <Button onClick={onClose}>Cancel</Button>
                    <CopyAsCurl request={{ method: "POST", path: "/impersonations", body: { ...request } }} />
                </div>
            </form>
        </Dialog>
    );
}
