import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { useMay } from "../api/acts";
import { type Schemas, api, page } from "../api/client";
import { values } from "../api/generated/operations";
import { useList } from "../api/lists";
import { oneOf } from "../api/oneOf";
import { useSession } from "../api/session";
import { Button } from "../ui/Button";
import { CopyAsCommand } from "../ui/Copy";
import { Filters } from "../ui/Filters";
import { ListTable } from "../ui/ListTable";
import { Page } from "../ui/Page";
import type { Columns } from "../ui/Table";
import { Badge, Time } from "../ui/data";
import { Select, anyOf } from "../ui/form";
import { Empty } from "../ui/state";
import { AddAdmin, EditAdmin } from "./AdminDialog";

type Admin = Schemas["Operator"];

export function Admins() {
    const filter = useSearch({ from: "/admins" });
    const navigate = useNavigate({ from: "/admins" });
    const me = useSession();
    const [open, setOpen] = useState<"add" | Admin>();
    const mayEdit = useMay("PATCH /admins/{id}");
    const mayAdd = useMay("POST /admins");
    const role = oneOf(values.OperatorRole, filter.role);
    const query = { role: role && [role], status: oneOf(values.OperatorStatus, filter.status) };
    const list = useList(["admins", query], (cursor, signal) => page(api.GET("/api/super-admin/admins", { params: { query: { ...query, limit: 100, cursor } }, signal })), { every: 10_000 });
    const set = (change: Partial<typeof filter>) => void navigate({ search: (before) => ({ ...before, ...change }) });
    const columns = useMemo<Columns<Admin>>(
        () => [
            { id: "email", size: 260, header: "E-mail", cell: ({ row: { original } }) => (original.id === me?.id ? `${original.email} (you)` : original.email) },
            { id: "role", size: 100, header: "Role", cell: ({ row }) => <Badge value={row.original.role} /> },
            { id: "status", size: 100, header: "Status", cell: ({ row }) => <Badge value={row.original.status} /> },
            { id: "by", size: 160, header: "Signs in", cell: ({ row: { original } }) => (original.subject !== null ? "At the identity provider" : original.must_change_password ? "Temporary password" : "With a password") },
            { id: "created", size: 160, header: "Created", cell: ({ row }) => <Time value={row.original.created_at} /> },
            {
                id: "acts",
                size: 90,
                header: () => <span className="hidden">Actions</span>,
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
    const close = () => setOpen(undefined);
    return (
        <Page
            title="Super-admins"
            actions={
                <>
                    <CopyAsCommand request={{ operation: "GET /admins", query }} />
                    {mayAdd && (
                        <Button kind="primary" onClick={() => setOpen("add")}>
                            Add a super-admin
                        </Button>
                    )}
                </>
            }
        >
            <Filters>
                <Select label="Role" value={filter.role ?? ""} options={anyOf(values.OperatorRole)} onChange={(event) => set({ role: event.target.value })} />
                <Select label="Status" value={filter.status ?? ""} options={anyOf(values.OperatorStatus)} onChange={(event) => set({ status: event.target.value })} />
            </Filters>
            <ListTable list={list} label="Super-admins" columns={columns} empty={<Empty title="No super-admin matches" />} />
            {open === "add" ? <AddAdmin onClose={close} /> : open && <EditAdmin admin={open} onClose={close} />}
        </Page>
    );
}
