import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useMemo, useState } from "react";

import { useMay } from "../../api/acts";
import { values } from "../../api/generated/operations";
import { useList } from "../../api/lists";
import { number, totalText } from "../../format";
import { Button } from "../../ui/Button";
import { CopyAsCommand } from "../../ui/Copy";
import { Filters, SearchField } from "../../ui/Filters";
import { Icon } from "../../ui/Icon";
import { ListTable } from "../../ui/ListTable";
import { Page } from "../../ui/Page";
import { SaveAsCsv } from "../../ui/csv";
import { Select, anyOf } from "../../ui/form";
import { Empty } from "../../ui/state";
import { COLUMNS, CSV_HEAD, HIDEABLE, csvCells, withSelection } from "./columns";
import { type TenantRow, readTenants, requestOf } from "./readTenants";

const Bulk = lazy(() => import("./Bulk").then((module) => ({ default: module.Bulk })));

const SORTS: [string, string][] = [
    ["-created_at", "Newest first"],
    ["created_at", "Oldest first"],
    ["-messages_month", "Most messages this month"],
    ["-agents", "Most agents"],
    ["-contacts", "Most contacts"],
    ["-storage_bytes", "Most storage"],
];

/** Which tenants are selected, as they were last read. */
function useSelection(items: TenantRow[]) {
    const [selected, setSelected] = useState<ReadonlyMap<string, TenantRow>>(new Map());
    const toggle = useCallback(
        (row: TenantRow) =>
            setSelected((before) => {
                const after = new Map(before);
                if (!after.delete(row.id)) after.set(row.id, row);
                return after;
            }),
        [],
    );
    const rows = useMemo(() => {
        if (selected.size === 0) return [];
        const current = new Map(items.filter(({ id }) => selected.has(id)).map((row) => [row.id, row]));
        return [...selected.values()].map((row) => current.get(row.id) ?? row);
    }, [selected, items]);
    return { selected, rows, toggle, clear: () => setSelected(new Map()) };
}

export function Tenants() {
    // Which columns are shown changes nothing about what is read.
    const { hidden: hiddenText, ...filter } = useSearch({ from: "/tenants" });
    const navigate = useNavigate({ from: "/tenants" });
    const set = useCallback((change: Partial<typeof filter & { hidden: string }>) => void navigate({ search: (before) => ({ ...before, ...change }), replace: "search" in change }), [navigate]);
    const request = requestOf(filter);
    const list = useList(["tenants", filter], (cursor, signal) => readTenants(filter, cursor, signal, cursor ? 1_000 : 100), { every: 5_000, moving: request.operation === "GET /tenants/usage" });
    const mayChange = useMay("PATCH /tenants/{id}");
    const { selected, rows, toggle, clear } = useSelection(list.items);
    const hidden = useMemo(() => hiddenText?.split(",") ?? [], [hiddenText]);
    const columns = useMemo(() => (mayChange ? withSelection(selected, toggle) : COLUMNS), [mayChange, selected, toggle]);
    const isFiltered = Boolean(filter.status || filter.country || filter.search || filter.over_limit);
    return (
        <Page
            title="Tenants"
            actions={
                <>
                    <CopyAsCommand request={request} />
                    {list.items.length > 0 && <SaveAsCsv name="tenants" head={CSV_HEAD} cells={csvCells} read={(cursor, signal) => readTenants(filter, cursor, signal, 5_000, false)} />}
                    {useMay("POST /tenants") && (
                        <Link to="/tenants/new" className="button button-primary">
                            <Icon name="plus" /> Create a tenant
                        </Link>
                    )}
                </>
            }
        >
            <Filters count={totalText(list.total, "tenants")}>
                <SearchField label="Name or slug" value={filter.search ?? ""} onChange={(search) => set({ search })} />
                <Select label="Status" value={filter.status ?? ""} onChange={(event) => set({ status: event.target.value })} options={anyOf(values.TenantStatus)} />
                <Select label="Country" value={filter.country ?? ""} onChange={(event) => set({ country: event.target.value })} options={anyOf(values.Country, String)} />
                {/* Only the newest come first where the API finds tenants by their use. */}
                <Select label="Order" value={filter.sort ?? "-created_at"} onChange={(event) => set({ sort: event.target.value })} options={filter.over_limit ? SORTS.filter(([order]) => order !== "created_at") : SORTS} />
                <Select label="Limits" value={filter.over_limit ?? ""} onChange={(event) => set({ over_limit: event.target.value, ...(filter.sort === "created_at" ? { sort: "" } : {}) })} options={[["", "Any"], ["true", "Over a limit"]]} />
                <ColumnChoice hidden={hidden} onChange={(ids) => set({ hidden: ids.join(",") })} />
            </Filters>
            {selected.size > 0 && (
                <div className="note selection" role="group" aria-label="Selected tenants">
                    <span className="strong">{number(selected.size)} selected</span>
                    <Suspense fallback={null}>
                        <Bulk tenants={rows} />
                    </Suspense>
                    <Button kind="ghost" onClick={clear}>
                        Clear the selection
                    </Button>
                </div>
            )}
            <ListTable
                list={list}
                label="Tenants"
                columns={columns}
                hidden={hidden}
                rows={8}
                empty={
                    <Empty title={isFiltered ? "No tenant matches these filters" : "No tenant exists yet"}>
                        {isFiltered ? <Button onClick={() => void navigate({ search: hiddenText ? { hidden: hiddenText } : {} })}>Remove the filters</Button> : <p className="muted">Create the first one here, or with POST /tenants.</p>}
                    </Empty>
                }
            />
        </Page>
    );
}

function ColumnChoice({ hidden, onChange }: { hidden: string[]; onChange: (hidden: string[]) => void }) {
    return (
        <details className="columns">
            <summary className="button">Columns</summary>
            <fieldset className="columns-list">
                <legend className="hidden">Columns</legend>
                {HIDEABLE.map(([id, name]) => (
                    <label key={id} className="check">
                        <input type="checkbox" checked={!hidden.includes(id)} onChange={(event) => onChange(event.target.checked ? hidden.filter((other) => other !== id) : [...hidden, id])} />
                        {name}
                    </label>
                ))}
            </fieldset>
        </details>
    );
}
