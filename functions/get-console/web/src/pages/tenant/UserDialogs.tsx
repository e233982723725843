import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useRef, useState } from "react";

import { type Schemas, api, body } from "../../api/client";
import { values } from "../../api/generated/operations";
import { type Problem, fromFailure } from "../../api/problem";
import { useSession } from "../../api/session";
import { sentence } from "../../format";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { CopyAsCurl } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Area, Input, Select, errorOf } from "../../ui/form";
import { ProblemNote } from "../../ui/state";
import type { User } from "./Users";

type Role = Schemas["AgentRole"];
const ROLES = values.AgentRole.map((role) => [role, sentence(role)] as const);

/** Sends a form once, keeps its problem, and renews the list of users. */
function useSubmit(tenantId: string, onClose: () => void) {
    const queries = useQueryClient();
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState<Problem | null>(null);
    const submit = (send: () => Promise<unknown>, done: string) => async (event: FormEvent) => {
        event.preventDefault();
        if (busy) return;
        setBusy(true);
        setProblem(null);
        try {
            await send();
            await queries.invalidateQueries({ queryKey: ["users", tenantId] });
            announce(done);
            onClose();
        } catch (failure) {
            setProblem(fromFailure(failure));
        } finally {
            setBusy(false);
        }
    };
    return { busy, problem, submit };
}

const OWNERS_ONLY = "Only an owner may do this, because it would let a super-admin act as the user. The tenant's admins can read the reason.";

export function AddUser({ tenantId, onClose }: { tenantId: string; onClose: () => void }) {
    const { busy, problem, submit } = useSubmit(tenantId, onClose);
    const isOwner = useSession()?.role === "owner";
    const key = useRef(crypto.randomUUID());
    const [form, setForm] = useState({ email: "", full_name: "", role: "agent" as Role, password: "", reason: "" });
    const set = (change: Partial<typeof form>) => setForm({ ...form, ...change });
    const request = { ...form, reason: form.role === "admin" ? form.reason : undefined };
    const params = { path: { id: tenantId }, header: { "idempotency-key": key.current } };
    const send = () => body(api.POST("/api/super-admin/tenants/{id}/users", { params, body: request }));
    return (
        <Dialog open onClose={onClose} title="Add a user">
            <form onSubmit={(event) => void submit(send, `${form.email} is added`)(event)}>
                <Input label="E-mail" type="email" required value={form.email} error={errorOf(problem, "/email")} onChange={(event) => set({ email: event.target.value })} />
                <Input label="Full name" required maxLength={120} value={form.full_name} error={errorOf(problem, "/full_name")} onChange={(event) => set({ full_name: event.target.value })} />
                <Select label="Role" value={form.role} options={isOwner ? ROLES : ROLES.filter(([role]) => role !== "admin")} onChange={(event) => set({ role: event.target.value as Role })} />
                {form.role === "admin" && <Area label="Reason" required minLength={10} maxLength={500} hint={OWNERS_ONLY} value={form.reason} error={errorOf(problem, "/reason")} onChange={(event) => set({ reason: event.target.value })} />}
                <Input label="Temporary password" type="password" autoComplete="new-password" required value={form.password} error={errorOf(problem, "/password")} hint="The user must replace it." onChange={(event) => set({ password: event.target.value })} />
                {problem && <ProblemNote problem={problem} />}
                <div className="actions">
                    <Button type="submit" kind="primary" busy={busy}>
                        Add the user
                    </Button>
                    <Button onClick={onClose}>Cancel</Button>
                    <CopyAsCurl request={{ method: "POST", path: `/tenants/${tenantId}/users`, body: request }} />
                </div>
            </form>
        </Dialog>
    );
}

export function EditUser({ tenantId, user, onClose }: { tenantId: string; user: User; onClose: () => void }) {
    const { busy, problem, submit } = useSubmit(tenantId, onClose);
    const isOwner = useSession()?.role === "owner";
    const [form, setForm] = useState({ full_name: user.full_name, role: user.role, status: user.status, password: "", reason: "" });
    const set = (change: Partial<typeof form>) => setForm({ ...form, ...change });
    const needsReason = form.password !== "" || (form.role === "admin" && user.role !== "admin");
    const patch: Schemas["UserPatch"] = {
        ...(form.full_name === user.full_name ? {} : { full_name: form.full_name }),
        ...(form.role === user.role ? {} : { role: form.role }),
        ...(form.status === user.status ? {} : { status: form.status }),
        ...(form.password === "" ? {} : { password: form.password }),
        ...(needsReason ? { reason: form.reason } : {}),
    };
    const path = { id: tenantId, user_id: user.id };
    const send = () => body(api.PATCH("/api/super-admin/tenants/{id}/users/{user_id}", { params: { path }, body: patch }));
    return (
        <Dialog open onClose={onClose} title={`Edit ${user.email}`}>
            <form onSubmit={(event) => void submit(send, `${user.email} is changed`)(event)}>
                <Input label="Full name" required maxLength={120} value={form.full_name} error={errorOf(problem, "/full_name")} onChange={(event) => set({ full_name: event.target.value })} />
                <Select label="Role" value={form.role} options={isOwner ? ROLES : ROLES.filter(([role]) => role !== "admin" || user.role === "admin")} onChange={(event) => set({ role: event.target.value as Role })} />
                <Select
                    label="Status"
                    value={form.status}
                    hint={form.status === "deactivated" && user.status === "active" ? "The user is signed out everywhere, and impersonations of the user end." : undefined}
                    options={values.AgentStatus.map((status) => [status, sentence(status)] as const)}
                    onChange={(event) => set({ status: event.target.value as Schemas["AgentStatus"] })}
                />
                {isOwner && <Input label="New temporary password" type="password" autoComplete="new-password" value={form.password} error={errorOf(problem, "/password")} hint="Empty: the password stays. Otherwise the user is signed out everywhere and must replace it." onChange={(event) => set({ password: event.target.value })} />}
                {needsReason && <Area label="Reason" required minLength={10} maxLength={500} hint={OWNERS_ONLY} value={form.reason} error={errorOf(problem, "/reason")} onChange={(event) => set({ reason: event.target.value })} />}
                {problem && <ProblemNote problem={problem} />}
                <div className="actions">
                    <Button type="submit" kind={form.status === "deactivated" && user.status === "active" ? "danger" : "primary"} busy={busy} disabled={Object.keys(patch).length === 0}>
                        Save
                    </Button>
                    <Button onClick={onClose}>Cancel</Button>
                    <CopyAsCurl request={{ method: "PATCH", path: `/tenants/${tenantId}/users/${user.id}`, body: { ...patch } }} />
                </div>
            </form>
        </Dialog>
    );
}
