// What the list of tenants shows of each, on the page and in a file.

import { Link } from "@tanstack/react-router";

import { bytes, short, visible } from "../../format";
import type { Columns } from "../../ui/Table";
import { Badge, Meter, Name, Time } from "../../ui/data";
import type { TenantRow } from "./readTenants";

export const COLUMNS: Columns<TenantRow> = [
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

/** The columns that may be hidden. */
export const HIDEABLE: [string, string][] = [
    ["country", "Country"],
    ["agents", "Agents"],
    ["contacts", "Contacts"],
    ["messages", "Messages"],
    ["storage", "Storage"],
    ["measured", "Measured at"],
    ["created", "Created"],
];

/** A column of checkboxes, before the others. */
export const withSelection = (selected: ReadonlyMap<string, TenantRow>, toggle: (row: TenantRow) => void): Columns<TenantRow> => [
    {
        id: "selected",
        size: 44,
        header: () => <span className="hidden">Selected</span>,
        cell: ({ row: { original } }) => <input type="checkbox" aria-label={`Select ${original.slug}`} checked={selected.has(original.id)} onChange={() => toggle(original)} />,
    },
    ...COLUMNS,
];

export const CSV_HEAD = ["id", "name", "slug", "status", "country", "created_at", "agents", "max_agents", "contacts", "max_contacts", "messages_month", "max_messages_month", "storage_bytes", "measured_at"];

export const csvCells = (row: TenantRow) => [
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
