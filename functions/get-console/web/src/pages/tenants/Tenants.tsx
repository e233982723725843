import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useMemo, useState } from "react";

import { useMay } from "../../api/acts";
import { type Schemas, api, page } from "../../api/client";
import { values } from "../../api/generated/operations";
import { useList } from "../../api/lists";
import { bytes, number, sentence, short, visible } from "../../format";
import { Button } from "../../ui/Button";
import { CopyAsCurl } from "../../ui/Copy";
import { Filters, SearchField } from "../../ui/Filters";
import { Icon } from "../../ui/Icon";
import { Page } from "../../ui/Page";
import { type Columns, Table } from "../../ui/Table";
import { SaveAsCsv } from "../../ui/csv";
import { Badge, Meter, Name, Time } from "../../ui/data";
import { Select } from "../../ui/form";
import { Empty, Loading, ProblemNote, Stale } from "../../ui/state";

const Bulk = lazy(() => import("./Bulk").then((module) => ({ default: module.Bulk })));

/** What the list shows of a tenant. 100,000 of these fit into the memory of a tab. */
export interface TenantRow {
    id: string;
    name: string;
    slug: string;
    status: Schemas["TenantStatus"];
    country: string;
    created_at: string;
    limits: Schemas["Limits"];
    agents: number | null;
    contacts: number | null;
    messages: number | null;
    storage: number | null;
    measured_at: string | null;
}

export interface TenantFilter {
    status?: string;
    country?: string;
    search?: string;
    sort?: string;
    over_limit?: string;
}

const SORTS: [string, string][] = [
    ["-created_at", "Newest first"],
    ["created_at", "Oldest first"],
    ["-messages_month", "Most messages this month"],
    ["-agents", "Most agents"],
    ["-contacts", "Most contacts"],
    ["-storage_bytes", "Most storage"],
];

/** The endpoint that serves an order and a filter. */
export function requestOf({ status, country, search, sort, over_limit }: TenantFilter) {
    const byUsage = over_limit === "true" || (sort !== undefined && !sort.endsWith("created_at"));
    const query = { status, country, search, sort, count: "true" };
    return byUsage
        ? { path: "/tenants/usage", query: { ...query, over_limit: over_limit === "true" ? "true" : undefined } }
        : { path: "/tenants", query: { ...query, include: "usage" } };
}

export async function readTenants(filter: TenantFilter, cursor: string | undefined, signal: AbortSignal, limit: number, count = true) {
    const shared = {
        status: filter.status ? [filter.status as Schemas["TenantStatus"]] : undefined,
        country: filter.country ? [filter.country as Schemas["Country"]] : undefined,
        search: filter.search,
        limit,
        cursor,
        count: count && !cursor ? true : undefined,
    };
    const { path } = requestOf(filter);
    const answer =
        path === "/tenants"
            ? await page(api.GET("/api/super-admin/tenants", { params: { query: { ...shared, sort: filter.sort as "created_at" | undefined, include: ["usage"] } }, signal }))
            : await page(
                  api.GET("/api/super-admin/tenants/usage", {
                      params: { query: { ...shared, sort: filter.sort as never, over_limit: filter.over_limit === "true" ? true : undefined } },
                      signal,
                  }),
              );
    const items = answer.items.map(
        (tenant): TenantRow => ({
            id: tenant.id,
            name: tenant.name,
            slug: tenant.slug,
            status: tenant.status,
            country: tenant.country,
            created_at: tenant.created_at,
            limits: tenant.limits,
            agents: tenant.usage?.agents ?? null,
            contacts: tenant.usage?.contacts ?? null,
            messages: tenant.usage?.messages_month ?? null,
            storage: tenant.usage?.storage_bytes ?? null,
            measured_at: tenant.usage?.measured_at ?? null,
        }),
    );
    return { ...answer, items };
}

const HIDEABLE: [string, string][] = [
    ["country", "Country"],
    ["agents", "Agents"],
    ["contacts", "Contacts"],
    ["messages", "Messages"],
    ["storage", "Storage"],
    ["measured", "Measured at"],
    ["created", "Created"],
];

const CSV_HEAD = ["id", "name", "slug", "status", "country", "created_at", "agents", "max_agents", "contacts", "max_contacts", "messages_month", "max_messages_month", "storage_bytes", "measured_at"];

const csvCells = (row: TenantRow) => [
    row.id,
    visible(row.name),
    row.slug,
    row.status,
    row.country,
    row.created_at,
    row.agents,
    row.limits.max_agents,
    row.contacts,
    row.limits.max_contacts,
    row.messages,
    row.limits.max_messages_month,
    row.storage,
    row.measured_at,
];

export function Tenants() {
    const filter = useSearch({ from: "/tenants" });
    const navigate = useNavigate({ from: "/tenants" });
    const set = useCallback((change: Partial<typeof filter>) => void navigate({ search: (before) => ({ ...before, ...change }), replace: "search" in change }), [navigate]);
    const list = useList(["tenants", filter], (cursor, signal) => readTenants(filter, cursor, signal, cursor ? 1_000 : 100), { every: 5_000 });
    const mayChange = useMay("PATCH /tenants/{id}");
    const [chosen, setChosen] = useState<ReadonlyMap<string, TenantRow>>(new Map());
    const toggle = useCallback(
        (row: TenantRow) =>
            setChosen((before) => {
                const after = new Map(before);
                if (!after.delete(row.id)) after.set(row.id, row);
                return after;
            }),
        [],
    );
    const hidden = filter.hidden?.split(",") ?? [];
    const columns = useMemo<Columns<TenantRow>>(() => {
        const all: Columns<TenantRow> = [
            {
                id: "name",
                size: 250,
                header: "Tenant",
                cell: ({ row: { original } }) => (
                    <Link to="/tenants/$id" params={{ id: original.id }} className="row-link tenant-link">
                        <Name>{original.name}</Name> <span className="muted">{original.slug}</span>
                    </Link>
                ),
            },
            { id: "status", size: 110, header: "Status", cell: ({ row }) => <Badge value={row.original.status} /> },
            { id: "country", size: 70, header: "Country", cell: ({ row }) => row.original.country },
            { id: "agents", size: 120, header: "Agents", cell: ({ row: { original } }) => <Meter label="Agents" value={original.agents} limit={original.limits.max_agents} format={short} /> },
            { id: "contacts", size: 130, header: "Contacts", cell: ({ row: { original } }) => <Meter label="Contacts" value={original.contacts} limit={original.limits.max_contacts} format={short} /> },
            { id: "messages", size: 140, header: "Messages this month", cell: ({ row: { original } }) => <Meter label="Messages this month" value={original.messages} limit={original.limits.max_messages_month} format={short} /> },
            { id: "storage", size: 90, header: "Storage", cell: ({ row }) => <Meter label="Storage" value={row.original.storage} limit={null} format={bytes} /> },
            { id: "measured", size: 160, header: "Measured at", cell: ({ row }) => <Time value={row.original.measured_at} /> },
            { id: "created", size: 160, header: "Created", cell: ({ row }) => <Time value={row.original.created_at} /> },
        ];
        if (mayChange) {
            all.unshift({
                id: "chosen",
                size: 44,
                header: () => <span className="hidden">Chosen</span>,
                cell: ({ row: { original } }) => <input type="checkbox" aria-label={`Choose ${original.slug}`} checked={chosen.has(original.id)} onChange={() => toggle(original)} />,
            });
        }
        return all;
    }, [mayChange, chosen, toggle]);
    const request = requestOf(filter);
    const { query, items, total } = list;
    const isFiltered = Boolean(filter.status || filter.country || filter.search || filter.over_limit);
    return (
        <Page
            title="Tenants"
            actions={
                <>
                    <CopyAsCurl request={request} />
                    {items.length > 0 && <SaveAsCsv name="tenants" head={CSV_HEAD} cells={csvCells} read={(cursor, signal) => readTenants(filter, cursor, signal, 5_000, false)} />}
                    {useMay("POST /tenants") && (
                        <Link to="/tenants/new" className="button button-primary">
                            <Icon name="plus" /> Create a tenant
                        </Link>
                    )}
                </>
            }
        >
            <Filters count={total && `${number(total.value)}${total.exact ? "" : " or more"} tenants`}>
                <SearchField label="Name or slug" value={filter.search ?? ""} onChange={(search) => set({ search })} />
                <Select label="Status" value={filter.status ?? ""} onChange={(event) => set({ status: event.target.value })} options={[["", "Any"], ...values.TenantStatus.map((status) => [status, sentence(status)] as const)]} />
                <Select label="Country" value={filter.country ?? ""} onChange={(event) => set({ country: event.target.value })} options={[["", "Any"], ...values.Country.map((country) => [country, country] as const)]} />
                <Select label="Order" value={filter.sort ?? "-created_at"} onChange={(event) => set({ sort: event.target.value })} options={SORTS} />
                <Select label="Limits" value={filter.over_limit ?? ""} onChange={(event) => set({ over_limit: event.target.value })} options={[["", "Any"], ["true", "Over a limit"]]} />
                <details className="columns">
                    <summary className="button">Columns</summary>
                    <fieldset className="columns-list">
                        <legend className="hidden">Columns</legend>
                        {HIDEABLE.map(([id, name]) => (
                            <label key={id} className="check">
                                <input
                                    type="checkbox"
                                    checked={!hidden.includes(id)}
                                    onChange={(event) => set({ hidden: (event.target.checked ? hidden.filter((other) => other !== id) : [...hidden, id]).join(",") })}
                                />
                                {name}
                            </label>
                        ))}
                    </fieldset>
                </details>
            </Filters>
            {chosen.size > 0 && (
                <div className="note" role="group" aria-label="Chosen tenants">
                    <span className="strong">{chosen.size} chosen</span>
                    <Suspense fallback={null}>
                        <Bulk tenants={[...chosen.values()]} />
                    </Suspense>
                    <Button kind="ghost" onClick={() => setChosen(new Map())}>
                        Choose none
                    </Button>
                </div>
            )}
            <Stale read={query} />
            {query.isPending ? (
                <Loading rows={8} />
            ) : query.error && items.length === 0 ? (
                <ProblemNote problem={query.error} retry={() => void query.refetch()} />
            ) : items.length === 0 ? (
                <Empty title={isFiltered ? "No tenant matches these filters" : "No tenant exists yet"}>
                    {isFiltered ? <Button onClick={() => void navigate({ search: {} })}>Remove the filters</Button> : <p className="muted">The first one is created here, or with POST /tenants.</p>}
                </Empty>
            ) : (
                <Table label="Tenants" columns={columns} rows={items} idOf={(row) => row.id} hidden={hidden} more={list.more} loading={list.loading} loadMore={list.loadMore} />
            )}
        </Page>
    );
}
