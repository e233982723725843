import { useState } from "react";

import { type Schemas, api, body, tagged } from "../api/client";
import { values } from "../api/generated/operations";
import { oneOf } from "../api/oneOf";
import { type Role } from "../api/session";
import { useIdempotencyKey } from "../api/useIdempotencyKey";
import { useRenew } from "../api/useRenew";
import { sentence } from "../format";
import { announce } from "../ui/announce";
import { FormDialog } from "../ui/FormDialog";
import { Input, Select, errorOf } from "../ui/form";
import { useResource } from "../ui/useResource";
import { useSubmit } from "../ui/useSubmit";

type Admin = Schemas["Operator"];

const ROLES = values.OperatorRole.map((role) => [role, sentence(role)] as const);
const STATUSES = values.OperatorStatus.map((status) => [status, sentence(status)] as const);
const MEANING: Record<Role, string> = {
    viewer: "Reads everything, changes nothing.",
    operator: "Also creates and changes tenants and users, and impersonates to read.",
    owner: "Also manages super-admins, grants admin rights in tenants, and impersonates to write.",
};
const RANK: Record<Role, number> = { viewer: 1, operator: 2, owner: 3 };

export function AddAdmin({ onClose }: { onClose: () => void }) {
    const { busy, problem, submit } = useSubmit();
    const { keyOf } = useIdempotencyKey();
    const renew = useRenew();
    const [form, setForm] = useState({ email: "", role: "viewer" as Role, signsIn: "here", password: "", subject: "" });
    const set = (change: Partial<typeof form>) => setForm({ ...form, ...change });
    const request: Schemas["OperatorBody"] = { email: form.email, role: form.role, ...(form.signsIn === "here" ? { password: form.password } : { subject: form.subject }) };
    const add = async () => {
        const params = { header: { "idempotency-key": keyOf(request) } };
        const { done } = await submit(() => body(api.POST("/api/super-admin/admins", { params, body: request })));
        if (!done) return;
        onClose();
        announce(`${form.email} is added`);
        await renew("admins", "audit");
    };
    return (
        <FormDialog title="Add a super-admin" onClose={onClose} onSubmit={() => void add()} action="Add the super-admin" busy={busy} problem={problem} request={{ operation: "POST /admins", body: { ...request } }}>
            <Input label="E-mail" type="email" required maxLength={254} value={form.email} error={errorOf(problem, "/email")} onChange={(event) => set({ email: event.target.value })} />
            <Select label="Role" value={form.role} options={ROLES} hint={MEANING[form.role]} onChange={(event) => set({ role: oneOf(values.OperatorRole, event.target.value) ?? form.role })} />
            <Select label="Signs in" value={form.signsIn} options={[["here", "Here, with a password"], ["provider", "At the identity provider"]]} onChange={(event) => set({ signsIn: event.target.value })} />
            {form.signsIn === "here" ? (
                <Input label="Temporary password" type="password" autoComplete="new-password" required value={form.password} error={errorOf(problem, "/password")} hint="It must be replaced at the first sign-in." onChange={(event) => set({ password: event.target.value })} />
            ) : (
                <Input label="Subject" required maxLength={255} pattern="[!-~]+" spellCheck={false} autoComplete="off" value={form.subject} error={errorOf(problem, "/subject")} hint="The id of the person at the identity provider, without spaces." onChange={(event) => set({ subject: event.target.value })} />
            )}
        </FormDialog>
    );
}

/** `listed` is the super-admin as the list shows them. */
export function EditAdmin({ admin: listed, onClose }: { admin: Admin; onClose: () => void }) {
    const path = { id: listed.id };
    const current = useResource(["admin", listed.id], (signal) => tagged(api.GET("/api/super-admin/admins/{id}", { params: { path }, signal })));
    const admin = current.data ?? listed;
    const { busy, problem, setProblem, submit } = useSubmit();
    const renew = useRenew();
    // Only what was edited: the other fields follow the super-admin's state when it is read again.
    const [edits, setEdits] = useState<Partial<Pick<Admin, "role" | "status">>>({});
    const [password, setPassword] = useState("");
    const form = { role: admin.role, status: admin.status, ...edits };
    const isLowered = RANK[form.role] < RANK[admin.role];
    const disables = admin.status === "active" && form.status === "disabled";
    const patch: Schemas["OperatorPatch"] = { ...(form.role === admin.role ? {} : { role: form.role }), ...(form.status === admin.status ? {} : { status: form.status }), ...(password === "" ? {} : { password }) };
    const save = async () => {
        const { header } = current;
        const { done } = await submit(() => body(api.PATCH("/api/super-admin/admins/{id}", { params: { path, header }, body: patch })));
        if (!done) return;
        onClose();
        announce(`${admin.email} is changed`);
        await renew("admins", "impersonations", "audit");
    };
    return (
        <FormDialog
            title={`Edit ${admin.email}`}
            onClose={onClose}
            onSubmit={() => void save()}
            action={disables ? "Disable the super-admin" : "Save"}
            kind={disables || isLowered ? "danger" : "primary"}
            busy={busy}
            disabled={!current.data || Object.keys(patch).length === 0}
            {...current.problemOf(problem, () => setProblem(null))}
            request={{ operation: "PATCH /admins/{id}", ids: [admin.id], body: { ...patch }, headers: current.header }}
        >
            <Select
                label="Role"
                value={form.role}
                options={ROLES}
                hint={isLowered ? `${MEANING[form.role]} A lower role ends all impersonations of this super-admin at once.` : MEANING[form.role]}
                onChange={(event) => setEdits({ ...edits, role: oneOf(values.OperatorRole, event.target.value) })}
            />
            <Select
                label="Status"
                value={form.status}
                hint={disables ? "Every session is refused at once, and impersonations of this super-admin end." : undefined}
                options={STATUSES}
                onChange={(event) => setEdits({ ...edits, status: oneOf(values.OperatorStatus, event.target.value) })}
            />
            {admin.subject === null ? (
                <Input label="New temporary password" type="password" autoComplete="new-password" value={password} error={errorOf(problem, "/password")} hint="Empty: the password stays. Otherwise all sessions end." onChange={(event) => setPassword(event.target.value)} />
            ) : (
                <p className="hint">This super-admin signs in at the identity provider, and has no password here.</p>
            )}
        </FormDialog>
    );
}
