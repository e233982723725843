import { useQuery } from "@tanstack/react-query";

import { type Schemas, api, body } from "../api/client";
import { number, sentence } from "../format";
import { AsOf } from "../ui/AsOf";
import { CopyAsCommand } from "../ui/Copy";
import { MeasuredAt } from "../ui/MeasuredAt";
import { Page } from "../ui/Page";
import { type Columns, Table } from "../ui/Table";
import { Badge, Meter, Time } from "../ui/data";
import { Empty, Loaded } from "../ui/state";

type Cluster = Schemas["Cluster"];

export function Clusters() {
    const read = useQuery({ queryKey: ["clusters"], queryFn: ({ signal }) => body(api.GET("/api/super-admin/clusters", { signal })), refetchInterval: 10_000 });
    return (
        <Page title="Clusters" actions={<CopyAsCommand request={{ operation: "GET /clusters" }} />}>
            <p className="muted">Where the databases of tenants are. New tenants are placed on open clusters that are not full; a draining cluster keeps its tenants.</p>
            <Loaded read={read} rows={6}>
                {(clusters) =>
                    clusters.length === 0 ? (
                        <Empty title="No cluster is recorded yet">
                            <p className="muted">The worker records its clusters when it starts.</p>
                        </Empty>
                    ) : (
                        <>
                            <Table label="Clusters" columns={COLUMNS} rows={clusters} idOf={({ kind, name }) => `${kind}/${name}`} />
                            <MeasuredAt value={clusters[0]?.measured_at ?? null} />
                        </>
                    )
                }
            </Loaded>
            <AsOf reads={[read]} />
        </Page>
    );
}

const COLUMNS: Columns<Cluster> = [
    {
        id: "name",
        size: 170,
        header: "Cluster",
        cell: ({ row: { original } }) => (
            <>
                <span className="strong">{original.name}</span> <span className="muted">{sentence(original.kind)}</span>
            </>
        ),
    },
    { id: "state", size: 130, header: "State", cell: ({ row }) => <State cluster={row.original} /> },
    {
        id: "tenants",
        size: 150,
        header: "Tenants",
        cell: ({ row: { original } }) => <Meter label={`Tenants on ${original.name}`} value={original.tenants} limit={original.max_tenants} />,
    },
    { id: "room", size: 90, header: "Room for", cell: ({ row }) => roomText(row.original) },
    { id: "operations", size: 290, header: "Breaker of operations", cell: ({ row }) => <Breaker breaker={row.original.operations} /> },
    { id: "measuring", size: 200, header: "Breaker of measuring", cell: ({ row }) => <Breaker breaker={row.original.measuring} /> },
    { id: "recorded", size: 150, header: "Recorded", cell: ({ row }) => <Time value={row.original.recorded_at} /> },
];

/** A cluster that does not take tenants has no room. */
const roomText = ({ open, tenants, max_tenants }: Cluster): string => (open && max_tenants !== null ? number(Math.max(max_tenants - tenants, 0)) : "none");

function State({ cluster: { is_configured, open, tenants, max_tenants } }: { cluster: Cluster }) {
    // Its tenants cannot be reached.
    if (!is_configured) return <Badge value="not configured" tone="danger" />;
    if (!open) return <Badge value="draining" tone="warn" />;
    return max_tenants !== null && tenants >= max_tenants ? <Badge value="full" tone="warn" /> : <Badge value="open" tone="ok" />;
}

const BREAKERS: Record<Schemas["BreakerState"], { text: string; tone: "ok" | "warn" | "danger" }> = {
    closed: { text: "works", tone: "ok" },
    half_open: { text: "is tried again", tone: "warn" },
    open: { text: "fails", tone: "danger" },
};

function Breaker({ breaker: { state, faults, open_until } }: { breaker: Schemas["Breaker"] }) {
    const { text, tone } = BREAKERS[state];
    return (
        <>
            <Badge value={text} tone={tone} />{" "}
            <span className="muted small" title={open_until ? `Not tried before ${open_until}` : undefined}>
                {faults > 0 && `${number(faults)} ${faults === 1 ? "fault" : "faults"}`}
                {open_until && (
                    <>
                        , until <Time value={open_until} />
                    </>
                )}
            </span>
        </>
    );
}
