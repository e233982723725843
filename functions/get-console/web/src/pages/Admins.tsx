import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useMemo, useState } from "react";

import { useMay } from "../api/acts";
import { type Schemas, api, body, page } from "../api/client";
import { values } from "../api/generated/operations";
import { useList } from "../api/lists";
import { type Problem, fromFailure } from "../api/problem";
import { useSession } from "../api/session";
import { sentence } from "../format";
import { announce } from "../ui/announce";
import { Button } from "../ui/Button";
import { CopyAsCurl } from "../ui/Copy";
import { Dialog } from "../ui/Dialog";
import { Filters } from "../ui/Filters";
import { Page } from "../ui/Page";
import { type Columns, Table } from "../ui/Table";
import { Badge, Time } from "../ui/data";
import { Input, Select, errorOf } from "../ui/form";
import { Empty, Loading, ProblemNote, Stale } from "../ui/state";

type Admin = Schemas["Operator"];
type Role = Schemas["OperatorRole"];

const ROLES = values.OperatorRole.map((role) => [role, sentence(role)] as const);
const MEANING: Record<Role, string> = {
    viewer: "Reads everything, changes nothing.",
    operator: "Also creates and changes tenants and users, and impersonates to read.",
    owner: "Also manages super-admins, grants admin rights in tenants, and impersonates to write.",
};

export function Admins() {
    const filter = useSearch({ from: "/admins" });
    const navigate = useNavigate({ from: "/admins" });
    const me = useSession();
    const [open, setOpen] = useState<"add" | Admin>();
    const mayEdit = useMay("PATCH /admins/{id}");
    const mayAdd = useMay("POST /admins");
    const query = { role: filter.role ? [filter.role as Role] : undefined, status: filter.status as Schemas["OperatorStatus"] | undefined };
    const list = useList(["admins", query], (cursor, signal) => page(api.GET("/api/super-admin/admins", { params: { query: { ...query, limit: 100, cursor } }, signal })), { every: 10_000 });
    const set = (change: Partial<typeof filter>) => void navigate({ search: (before) => ({ ...before, ...change }) });
    const columns = useMemo<Columns<Admin>>(
        () => [
            { id: "email", size: 260, header: "E-mail", cell: ({ row: { original } }) => (original.id === me?.id ? `${original.email} (you)` : original.email) },
            { id: "role", size: 100, header: "Role", cell: ({ row }) => <Badge value={row.original.role} /> },
            { id: "status", size: 100, header: "Status", cell: ({ row }) => <Badge value={row.original.status} /> },
            { id: "by", size: 160, header: "Signs in", cell: ({ row: { original } }) => (original.subject ? "At the identity provider" : original.must_change_password ? "Temporary password" : "With a password") },
            { id: "created", size: 160, header: "Created", cell: ({ row }) => <Time value={row.original.created_at} /> },
            {
                id: "acts",
                size: 90,
                header: () => <span className="hidden">Acts</span>,
                cell: ({ row: { original } }) =>
                    mayEdit &&
                    original.id !== me?.id && (
                        <Button onClick={() => setOpen(original)} aria-label={`Edit ${original.email}`}>
                            Edit
                        </Button>
                    ),
            },
        ],
        [mayEdit, me?.id],
    );
    return (
        <Page
            title="Super-admins"
            actions={
                <>
                    <CopyAsCurl request={{ path: "/admins", query }} />
                    {mayAdd && (
                        <Button kind="primary" onClick={() => setOpen("add")}>
                            Add a super-admin
                        </Button>
                    )}
                </>
            }
        >
            <Filters>
                <Select label="Role" value={filter.role ?? ""} options={[["", "Any"], ...ROLES]} onChange={(event) => set({ role: event.target.value })} />
                <Select label="Status" value={filter.status ?? ""} options={[["", "Any"], ...values.OperatorStatus.map((status) => [status, sentence(status)] as const)]} onChange={(event) => set({ status: event.target.value })} />
            </Filters>
            <Stale read={list.query} />
            {list.query.isPending ? (
                <Loading />
            ) : list.query.error && list.items.length === 0 ? (
                <ProblemNote problem={list.query.error} retry={() => void list.query.refetch()} />
            ) : list.items.length === 0 ? (
                <Empty title="No super-admin matches" />
            ) : (
                <Table label="Super-admins" columns={columns} rows={list.items} idOf={(admin) => admin.id} more={list.more} loading={list.loading} loadMore={list.loadMore} />
            )}
            {open && <AdminDialog admin={open === "add" ? undefined : open} onClose={() => setOpen(undefined)} />}
        </Page>
    );
}

function AdminDialog({ admin, onClose }: { admin?: Admin; onClose: () => void }) {
    const queries = useQueryClient();
    const [form, setForm] = useState({ email: admin?.email ?? "", role: admin?.role ?? ("viewer" as Role), status: admin?.status ?? ("active" as Admin["status"]), password: "" });
    const [problem, setProblem] = useState<Problem | null>(null);
    const [busy, setBusy] = useState(false);
    const [key] = useState(() => crypto.randomUUID());
    const set = (change: Partial<typeof form>) => setForm({ ...form, ...change });
    const patch = admin && { ...(form.role === admin.role ? {} : { role: form.role }), ...(form.status === admin.status ? {} : { status: form.status }), ...(form.password === "" ? {} : { password: form.password }) };
    const send = () =>
        admin
            ? body(api.PATCH("/api/super-admin/admins/{id}", { params: { path: { id: admin.id } }, body: patch ?? {} }))
            : body(api.POST("/api/super-admin/admins", { params: { header: { "idempotency-key": key } }, body: { email: form.email, role: form.role, password: form.password } as Schemas["OperatorBody"] }));
    const submit = async (event: FormEvent) => {
        event.preventDefault();
        if (busy) return;
        setBusy(true);
        setProblem(null);
        try {
            await send();
            await queries.invalidateQueries({ queryKey: ["admins"] });
            announce(admin ? `${form.email} is changed` : `${form.email} is added`);
            onClose();
        } catch (failure) {
            setProblem(fromFailure(failure));
        } finally {
            setBusy(false);
        }
    };
    const disabling = admin?.status === "active" && form.status === "disabled";
    return (
        <Dialog open onClose={onClose} title={admin ? `Edit ${admin.email}` : "Add a super-admin"}>
            <form onSubmit={(event) => void submit(event)}>
                {!admin && <Input label="E-mail" type="email" required value={form.email} error={errorOf(problem, "/email")} onChange={(event) => set({ email: event.target.value })} />}
                <Select label="Role" value={form.role} options={ROLES} hint={MEANING[form.role]} onChange={(event) => set({ role: event.target.value as Role })} />
                {admin && <Select label="Status" value={form.status} hint={disabling ? "Every session is refused at once, and impersonations of this super-admin end." : undefined} options={values.OperatorStatus.map((status) => [status, sentence(status)] as const)} onChange={(event) => set({ status: event.target.value as Admin["status"] })} />}
                <Input
                    label={admin ? "New temporary password" : "Temporary password"}
                    type="password"
                    autoComplete="new-password"
                    required={!admin}
                    value={form.password}
                    error={errorOf(problem, "/password")}
                    hint={admin ? "Empty: the password stays. Otherwise all sessions end." : "It must be replaced at the first sign-in."}
                    onChange={(event) => set({ password: event.target.value })}
                />
                {problem && <ProblemNote problem={problem} />}
                <div className="actions">
                    <Button type="submit" kind={disabling ? "danger" : "primary"} busy={busy} disabled={patch && Object.keys(patch).length === 0}>
                        {admin ? (disabling ? "Disable the super-admin" : "Save") : "Add the super-admin"}
                    </Button>
                    <Button onClick={onClose}>Cancel</Button>
                    <CopyAsCurl request={admin ? { method: "PATCH", path: `/admins/${admin.id}`, body: patch } : { method: "POST", path: "/admins", body: { email: form.email, role: form.role, password: "" } }} />
                </div>
            </form>
        </Dialog>
    );
}
