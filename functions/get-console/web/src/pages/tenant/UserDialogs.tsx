import { useState } from "react";

import { type Schemas, api, body, tagged } from "../../api/client";
import { values } from "../../api/generated/operations";
import { oneOf } from "../../api/oneOf";
import { useSession } from "../../api/session";
import { useIdempotencyKey } from "../../api/useIdempotencyKey";
import { useRenew } from "../../api/useRenew";
import { sentence } from "../../format";
import { announce } from "../../ui/announce";
import { FormDialog } from "../../ui/FormDialog";
import { Area, Input, Select, errorOf } from "../../ui/form";
import { useResource } from "../../ui/useResource";
import { useSubmit } from "../../ui/useSubmit";

type User = Schemas["User"];
type Role = Schemas["AgentRole"];

const ROLES = values.AgentRole.map((role) => [role, sentence(role)] as const);
const STATUSES = values.AgentStatus.map((status) => [status, sentence(status)] as const);
const OWNERS_ONLY = "Only an owner may do this, because it would let a super-admin act as the user. The tenant's admins can read the reason.";

interface AddProps {
    tenantId: string;
    onClose: () => void;
}

export function AddUser({ tenantId, onClose }: AddProps) {
    const { busy, problem, submit } = useSubmit();
    const { keyOf } = useIdempotencyKey();
    const renew = useRenew();
    const isOwner = useSession()?.role === "owner";
    const [form, setForm] = useState({ email: "", full_name: "", role: "agent" as Role, password: "", reason: "" });
    const set = (change: Partial<typeof form>) => setForm({ ...form, ...change });
    const request: Schemas["TenantUserRequest"] = { ...form, reason: form.role === "admin" ? form.reason : undefined };
    const add = async () => {
        const params = { path: { id: tenantId }, header: { "idempotency-key": keyOf(request) } };
        const { done } = await submit(() => body(api.POST("/api/super-admin/tenants/{id}/users", { params, body: request })));
        if (!done) return;
        onClose();
        announce(`${form.email} is added`);
        await renew("users", "audit");
    };
    return (
        <FormDialog title="Add a user" onClose={onClose} onSubmit={() => void add()} action="Add the user" busy={busy} problem={problem} request={{ operation: "POST /tenants/{id}/users", ids: [tenantId], body: { ...request } }}>
            <Input label="E-mail" type="email" required value={form.email} error={errorOf(problem, "/email")} onChange={(event) => set({ email: event.target.value })} />
            <Input label="Full name" required maxLength={120} value={form.full_name} error={errorOf(problem, "/full_name")} onChange={(event) => set({ full_name: event.target.value })} />
            <Select label="Role" value={form.role} options={isOwner ? ROLES : ROLES.filter(([role]) => role !== "admin")} onChange={(event) => set({ role: oneOf(values.AgentRole, event.target.value) ?? form.role })} />
            {form.role === "admin" && <Area label="Reason" required minLength={10} maxLength={500} hint={OWNERS_ONLY} value={form.reason} error={errorOf(problem, "/reason")} onChange={(event) => set({ reason: event.target.value })} />}
            <Input label="Temporary password" type="password" autoComplete="new-password" required value={form.password} error={errorOf(problem, "/password")} hint="The user must replace it." onChange={(event) => set({ password: event.target.value })} />
        </FormDialog>
    );
}

interface EditProps extends AddProps {
    /** As it is in the list. */
    user: User;
}

export function EditUser({ tenantId, user: listed, onClose }: EditProps) {
    const path = { id: tenantId, user_id: listed.id };
    const current = useResource(["user", tenantId, listed.id], (signal) => tagged(api.GET("/api/super-admin/tenants/{id}/users/{user_id}", { params: { path }, signal })));
    const user = current.data ?? listed;
    const { busy, problem, submit, setProblem } = useSubmit();
    const renew = useRenew();
    const isOwner = useSession()?.role === "owner";
    // Only what was edited: the other fields follow the user's state when it is read again.
    const [edits, setEdits] = useState<Partial<Pick<User, "full_name" | "role" | "status">>>({});
    const [secret, setSecret] = useState({ password: "", reason: "" });
    const form = { full_name: user.full_name, role: user.role, status: user.status, ...edits };
    const set = (change: typeof edits) => setEdits({ ...edits, ...change });
    const needsReason = secret.password !== "" || (form.role === "admin" && user.role !== "admin");
    const deactivates = form.status === "deactivated" && user.status === "active";
    const patch: Schemas["UserPatch"] = {
        ...(form.full_name === user.full_name ? {} : { full_name: form.full_name }),
        ...(form.role === user.role ? {} : { role: form.role }),
        ...(form.status === user.status ? {} : { status: form.status }),
        ...(secret.password === "" ? {} : { password: secret.password }),
        ...(needsReason ? { reason: secret.reason } : {}),
    };
    const save = async () => {
        const { header } = current;
        const { done } = await submit(() => body(api.PATCH("/api/super-admin/tenants/{id}/users/{user_id}", { params: { path, header }, body: patch })));
        if (!done) return;
        onClose();
        announce(`${user.email} is changed`);
        await renew("users", "impersonations", "audit");
    };
    return (
        <FormDialog
            title={`Edit ${user.email}`}
            onClose={onClose}
            onSubmit={() => void save()}
            action="Save"
            kind={deactivates ? "danger" : "primary"}
            busy={busy}
            disabled={!current.data || Object.keys(patch).length === 0}
            {...current.problemOf(problem, () => setProblem(null))}
            request={{ operation: "PATCH /tenants/{id}/users/{user_id}", ids: [tenantId, user.id], body: { ...patch }, headers: current.header }}
        >
            <Input label="Full name" required maxLength={120} value={form.full_name} error={errorOf(problem, "/full_name")} onChange={(event) => set({ full_name: event.target.value })} />
            <Select label="Role" value={form.role} options={isOwner ? ROLES : ROLES.filter(([role]) => role !== "admin" || user.role === "admin")} onChange={(event) => set({ role: oneOf(values.AgentRole, event.target.value) })} />
            <Select
                label="Status"
                value={form.status}
                hint={deactivates ? "The user is signed out everywhere, and impersonations of the user end." : undefined}
                options={STATUSES}
                onChange={(event) => set({ status: oneOf(values.AgentStatus, event.target.value) })}
            />
            {isOwner && <Input label="New temporary password" type="password" autoComplete="new-password" value={secret.password} error={errorOf(problem, "/password")} hint="Empty: the password stays. Otherwise the user is signed out everywhere and must replace it." onChange={(event) => setSecret({ ...secret, password: event.target.value })} />}
            {needsReason && <Area label="Reason" required minLength={10} maxLength={500} hint={OWNERS_ONLY} value={secret.reason} error={errorOf(problem, "/reason")} onChange={(event) => setSecret({ ...secret, reason: event.target.value })} />}
        </FormDialog>
    );
}
