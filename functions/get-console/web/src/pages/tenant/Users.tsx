import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { useMay } from "../../api/acts";
import { type Schemas, api, body, page } from "../../api/client";
import { values } from "../../api/generated/operations";
import { useList } from "../../api/lists";
import { oneOf } from "../../api/oneOf";
import { sentence, totalText, utc } from "../../format";
import { Button } from "../../ui/Button";
import { CopyAsCommand } from "../../ui/Copy";
import { Filters, SearchField } from "../../ui/Filters";
import { ListTable } from "../../ui/ListTable";
import type { Columns } from "../../ui/Table";
import { Badge, Name, Time } from "../../ui/data";
import { Select, anyOf } from "../../ui/form";
import { Empty } from "../../ui/state";
import { StartImpersonation } from "../impersonations/StartImpersonation";
import { EraseUser } from "./EraseUser";
import { useTenant } from "./Tenant";
import { AddUser, EditUser } from "./UserDialogs";

type User = Schemas["User"];

export function TenantUsers() {
    const { tenant } = useTenant();
    if (tenant.status === "deleted") return <Empty title="The users were removed with the tenant" />;
    return <UserList tenant={tenant} />;
}

function UserList({ tenant }: { tenant: Schemas["Organization"] }) {
    const filter = useSearch({ from: "/tenants/$id/users" });
    const navigate = useNavigate({ from: "/tenants/$id/users" });
    // A person's name or address is personal, so that it is not in the URL.
    const [search, setSearch] = useState("");
    const [open, setOpen] = useState<{ act: "add" | "edit" | "impersonate" | "erase"; user?: User }>();
    const set = (change: Partial<typeof filter>) => void navigate({ search: (before) => ({ ...before, ...change }) });
    const role = oneOf(values.AgentRole, filter.role);
    const query = {
        search: search || undefined,
        role: role && [role],
        status: oneOf(values.AgentStatus, filter.status),
    };
    // Without polling, because each read of users is recorded in the audit log.
    const only = filter.user;
    const readOne = async (id: string, signal: AbortSignal) => ({ items: [await body(api.GET("/api/super-admin/tenants/{id}/users/{user_id}", { params: { path: { id: tenant.id, user_id: id } }, signal }))] });
    const list = useList<User>(["users", tenant.id, only ?? query], (cursor, signal) => only ? readOne(only, signal) : page(api.GET("/api/super-admin/tenants/{id}/users", { params: { path: { id: tenant.id }, query: { ...query, limit: 100, cursor, count: cursor ? undefined : true } }, signal })));
    const active = tenant.status === "active";
    const mayAdd = useMay("POST /tenants/{id}/users") && active;
    const mayEdit = useMay("PATCH /tenants/{id}/users/{user_id}") && active;
    const mayErase = useMay("POST /tenants/{id}/users/{user_id}/erase") && active;
    const mayImpersonate = useMay("POST /impersonations") && active;
    const columns = useMemo<Columns<User>>(
        () => [
            { id: "name", size: 170, header: "Name", cell: ({ row }) => <Name>{row.original.full_name}</Name> },
            { id: "email", size: 220, header: "E-mail", cell: ({ row }) => row.original.email },
            { id: "role", size: 100, header: "Role", cell: ({ row }) => sentence(row.original.role) },
            { id: "status", size: 110, header: "Status", cell: ({ row: { original } }) => (original.erased_at ? <ErasedBadge at={original.erased_at} /> : <Badge value={original.status} />) },
            { id: "seen", size: 160, header: "Last seen", cell: ({ row }) => (row.original.is_online ? <Badge value="online" tone="ok" /> : <Time value={row.original.last_seen_at} />) },
            {
                id: "acts",
                size: 270,
                header: () => <span className="hidden">Actions</span>,
                // Nothing about an erased user can be changed any more.
                cell: ({ row: { original } }) => !original.erased_at && (
                    <span className="actions">
                        {mayEdit && (
                            <Button onClick={() => setOpen({ act: "edit", user: original })} aria-label={`Edit ${original.email}`}>
                                Edit
                            </Button>
                        )}
                        {mayImpersonate && original.status === "active" && (
                            <Button onClick={() => setOpen({ act: "impersonate", user: original })} aria-label={`Impersonate ${original.email}`}>
                                Impersonate
                            </Button>
                        )}
                        {mayErase && (
                            <Button onClick={() => setOpen({ act: "erase", user: original })} aria-label={`Erase ${original.email}`}>
                                Erase
                            </Button>
                        )}
                    </span>
                ),
            },
        ],
        [mayEdit, mayImpersonate, mayErase],
    );
    const close = () => setOpen(undefined);
    return (
        <>
            <Filters count={totalText(list.total, "users")}>
                {only ? (
                    <>
                        <p>Only one user is shown.</p>
                        <Button onClick={() => set({ user: undefined })}>Show all users</Button>
                        <CopyAsCommand request={{ operation: "GET /tenants/{id}/users/{user_id}", ids: [tenant.id, only] }} />
                    </>
                ) : (
                    <>
                        <SearchField label="Name or e-mail" value={search} onChange={setSearch} />
                        <Select label="Role" value={filter.role ?? ""} onChange={(event) => set({ role: event.target.value })} options={anyOf(values.AgentRole)} />
                        <Select label="Status" value={filter.status ?? ""} onChange={(event) => set({ status: event.target.value })} options={anyOf(values.AgentStatus)} />
                        <CopyAsCommand request={{ operation: "GET /tenants/{id}/users", ids: [tenant.id], query: { ...query, search: undefined } }} />
                    </>
                )}
                {mayAdd && <Button kind="primary" onClick={() => setOpen({ act: "add" })}>Add a user</Button>}
            </Filters>
            {!active && <p className="muted">The tenant is {tenant.status}; its users can be changed only while it is active.</p>}
            <ListTable list={list} label="Users" columns={columns} rows={6} empty={<Empty title="No user matches" />} />
            {open?.act === "add" && <AddUser tenantId={tenant.id} onClose={close} />}
            {open?.act === "edit" && open.user && <EditUser tenantId={tenant.id} user={open.user} onClose={close} />}
            {open?.act === "erase" && open.user && <EraseUser tenantId={tenant.id} user={open.user} onClose={close} />}
            {open?.act === "impersonate" && open.user && <StartImpersonation tenant={tenant} user={open.user} onClose={close} />}
        </>
    );
}

function ErasedBadge({ at }: { at: string }) {
    return (
        <span title={`Erased at ${utc(new Date(at))}`}>
            <Badge value="erased" />
        </span>
    );
}
