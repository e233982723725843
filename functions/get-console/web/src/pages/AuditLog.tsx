import { Link } from "@tanstack/react-router";
import { type ReactNode, useMemo, useState } from "react";

import { type Schemas, api, page } from "../api/client";
import { values } from "../api/generated/operations";
import { useList } from "../api/lists";
import { oneOf } from "../api/oneOf";
import { midnight, number, sentence } from "../format";
import { Button } from "../ui/Button";
import { CopyAsCommand } from "../ui/Copy";
import { Dialog } from "../ui/Dialog";
import { Filters } from "../ui/Filters";
import { ListTable } from "../ui/ListTable";
import type { Columns } from "../ui/Table";
import { SaveAsCsv } from "../ui/csv";
import { Badge, Facts, Id, Time } from "../ui/data";
import { Input, Select, anyOf } from "../ui/form";
import { Empty } from "../ui/state";

type Entry = Schemas["AuditRecord"];

interface AuditFilter {
    action?: string;
    outcome?: string;
    since?: string;
    until?: string;
    tenant_id?: string;
}

export function AuditLog({ filter, set }: { filter: AuditFilter; set: (change: Partial<AuditFilter>) => void }) {
    const [shown, setShown] = useState<Entry>();
    const query = {
        action: oneOf(values.AuditAction, filter.action),
        outcome: oneOf(values.AuditOutcome, filter.outcome),
        since: midnight(filter.since),
        until: midnight(filter.until),
        tenant_id: filter.tenant_id,
    };
    const list = useList(["audit", query], (cursor, signal) => page(api.GET("/api/super-admin/audit", { params: { query: { ...query, limit: 100, cursor } }, signal })), { every: 4_000 });
    const columns = useMemo<Columns<Entry>>(
        () => [
            { id: "at", size: 185, header: "Time", cell: ({ row }) => <Time value={row.original.at} seconds /> },
            {
                id: "action",
                size: 200,
                header: "Action",
                cell: ({ row: { original } }) => (
                    <button type="button" className="link-button" onClick={() => setShown(original)}>
                        {original.action}
                    </button>
                ),
            },
            { id: "outcome", size: 90, header: "Outcome", cell: ({ row }) => <Badge value={row.original.outcome} /> },
            { id: "actor", size: 220, header: "Who", cell: ({ row: { original } }) => original.actor_email ?? original.actor },
            {
                id: "tenant",
                size: 130,
                header: "Tenant",
                cell: ({ row: { original } }) =>
                    original.tenant_id ? (
                        <Link to="/tenants/$id" params={{ id: original.tenant_id }}>
                            Open the tenant
                        </Link>
                    ) : (
                        <span className="muted">none</span>
                    ),
            },
            { id: "from", size: 130, header: "From", cell: ({ row }) => row.original.source_address ?? <span className="muted">the platform</span> },
        ],
        [],
    );
    return (
        <>
            <Filters count={list.items.length > 0 && `${number(list.items.length)}${list.isWhole ? "" : " newest"} entries`}>
                <Select label="Action" value={filter.action ?? ""} onChange={(event) => set({ action: event.target.value })} options={anyOf(values.AuditAction, String)} />
                <Select label="Outcome" value={filter.outcome ?? ""} onChange={(event) => set({ outcome: event.target.value })} options={anyOf(values.AuditOutcome)} />
                <Input label="From (UTC)" type="date" value={filter.since ?? ""} onChange={(event) => set({ since: event.target.value })} />
                <Input label="Before (UTC)" type="date" value={filter.until ?? ""} onChange={(event) => set({ until: event.target.value })} />
                <CopyAsCommand request={{ operation: "GET /audit", query }} />
                <SaveAsCsv
                    name="audit"
                    head={["id", "at", "action", "outcome", "actor", "actor_email", "tenant_id", "request_id", "source_address", "details"]}
                    cells={(entry: Entry) => [entry.id, entry.at, entry.action, entry.outcome, entry.actor, entry.actor_email, entry.tenant_id, entry.request_id, entry.source_address, JSON.stringify(entry.details)]}
                    read={(cursor, signal) => page(api.GET("/api/super-admin/audit", { params: { query: { ...query, limit: 2_000, cursor } }, signal }))}
                />
            </Filters>
            <ListTable list={list} label="Audit log" columns={columns} rows={8} empty={<Empty title="No entry matches" />} />
            {shown && <EntryDialog entry={shown} onClose={() => setShown(undefined)} />}
        </>
    );
}

function EntryDialog({ entry, onClose }: { entry: Entry; onClose: () => void }) {
    const details = entry.details as Record<string, unknown>;
    const optional: [string, ReactNode][] = [
        ["Request", entry.request_id && <Id value={entry.request_id} label="request's id" />],
        ["Client's request", entry.client_request_id && <Id value={entry.client_request_id} label="client's request id" />],
        ["Intent", entry.intent_id && <Id value={entry.intent_id} label="id of the intent" />],
        ["Address", entry.source_address],
    ];
    return (
        <Dialog open onClose={onClose} title={entry.action} wide>
            <Facts
                facts={[
                    ["Time", <Time key="at" value={entry.at} both seconds />],
                    ["Who", entry.actor_email ?? entry.actor],
                    ["Outcome", <Badge key="outcome" value={entry.outcome} />],
                    ...optional.filter(([, value]) => value),
                ]}
            />
            <Changes details={details} />
            <div className="actions">
                <Button onClick={onClose}>Close</Button>
            </div>
        </Dialog>
    );
}

const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** The details of an entry; what it changed as before and after. */
function Changes({ details }: { details: Record<string, unknown> }) {
    const { before, after, ...rest } = details;
    const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
    const names = isObject(before) && isObject(after) ? [...new Set([...Object.keys(before), ...Object.keys(after)])] : [];
    const others = names.length > 0 ? rest : details;
    return (
        <>
            {names.length > 0 && isObject(before) && isObject(after) && (
                <table className="difference">
                    <thead>
                        <tr>
                            <th scope="col">Field</th>
                            <th scope="col">Before</th>
                            <th scope="col">After</th>
                        </tr>
                    </thead>
                    <tbody>
                        {names.map((name) => (
                            <tr key={name}>
                                <th scope="row">{name}</th>
                                <td>{text(before[name])}</td>
                                <td>{text(after[name])}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            )}
            {Object.keys(others).length > 0 && <Facts facts={Object.entries(others).map(([name, value]) => [sentence(name), <code key={name}>{text(value)}</code>])} />}
        </>
    );
}
