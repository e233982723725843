import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { type Schemas, api, page } from "../api/client";
import { values } from "../api/generated/operations";
import type { paths } from "../api/generated/schema";
import { useList } from "../api/lists";
import { oneOf } from "../api/oneOf";
import { sentence, totalText } from "../format";
import { CopyAsCommand } from "../ui/Copy";
import { Filters, SearchField } from "../ui/Filters";
import { ListTable } from "../ui/ListTable";
import { Page } from "../ui/Page";
import type { Columns } from "../ui/Table";
import { Badge, Name, Time } from "../ui/data";
import { Select, anyOf } from "../ui/form";
import { Empty } from "../ui/state";
import { MIN_SEARCH } from "./userSearch";

type Query = paths["/api/super-admin/users/search"]["get"]["parameters"]["query"];

/** A person in one tenant. Ids of users are unique only within their tenant. */
type Row = Schemas["FoundUser"] & { id: string };

/** Finds a person in every tenant. */
export function Users() {
    const filter = useSearch({ from: "/users" });
    const navigate = useNavigate({ from: "/users" });
    // A person's name or address is personal, so that it is not in the URL.
    const [search, setSearch] = useState("");
    const set = (change: Partial<typeof filter>) => void navigate({ search: (before) => ({ ...before, ...change }) });
    const role = oneOf(values.AgentRole, filter.role);
    const rest = { role: role && [role], status: oneOf(values.AgentStatus, filter.status) };
    const text = search.trim();
    return (
        <Page title="Users" actions={<CopyAsCommand request={{ operation: "GET /users/search", query: { search: "TEXT", ...rest } }} />}>
            <Filters>
                <SearchField label="Name or e-mail" value={search} onChange={setSearch} />
                <Select label="Role" value={filter.role ?? ""} onChange={(event) => set({ role: event.target.value })} options={anyOf(values.AgentRole)} />
                <Select label="Status" value={filter.status ?? ""} onChange={(event) => set({ status: event.target.value })} options={anyOf(values.AgentStatus)} />
            </Filters>
            {text.length >= MIN_SEARCH ? (
                <Found query={{ search: text, ...rest }} />
            ) : (
                <Empty title={`Type at least ${MIN_SEARCH} characters of a name or an e-mail address`}>
                    <p className="muted">Users of all tenants that have databases are found. Each search is recorded in the audit log, without its text.</p>
                </Empty>
            )}
        </Page>
    );
}

const COLUMNS: Columns<Row> = [
    {
        id: "name",
        size: 180,
        header: "Name",
        cell: ({ row: { original } }) => (
            <Link to="/tenants/$id/users" params={{ id: original.tenant.id }} search={{ user: original.user.id }} className="row-link">
                <Name>{original.user.full_name}</Name>
            </Link>
        ),
    },
    { id: "email", size: 230, header: "E-mail", cell: ({ row }) => row.original.user.email },
    { id: "role", size: 100, header: "Role", cell: ({ row }) => sentence(row.original.user.role) },
    { id: "status", size: 110, header: "Status", cell: ({ row }) => <Badge value={row.original.user.status} /> },
    {
        id: "tenant",
        size: 220,
        header: "Tenant",
        cell: ({ row: { original } }) => (
            <Link to="/tenants/$id" params={{ id: original.tenant.id }} className="above">
                <Name>{original.tenant.name}</Name> <span className="muted">{original.tenant.slug}</span>
            </Link>
        ),
    },
    { id: "tenantStatus", size: 120, header: "Tenant's status", cell: ({ row }) => <Badge value={row.original.tenant.status} /> },
    { id: "created", size: 160, header: "Created", cell: ({ row }) => <Time value={row.original.created_at} /> },
];

function Found({ query }: { query: Query }) {
    // Without polling, because each search is recorded in the audit log.
    const list = useList<Row>(["found-users", query], async (cursor, signal) => {
        const found = await page(api.GET("/api/super-admin/users/search", { params: { query: { ...query, limit: 100, cursor, count: cursor ? undefined : true } }, signal }));
        return { ...found, items: found.items.map((one) => ({ ...one, id: `${one.tenant.id}/${one.user.id}` })) };
    });
    return (
        <>
            <p className="count" role="status">
                {totalText(list.total, "users")}
            </p>
            <ListTable list={list} label="Users" columns={COLUMNS} rows={6} empty={<Empty title="No user matches" />} />
        </>
    );
}
