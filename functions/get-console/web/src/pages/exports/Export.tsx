import { Link, useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { bytes, number } from "../../format";
import { AsOf } from "../../ui/AsOf";
import { CopyAsCommand } from "../../ui/Copy";
import { Badge, Card, Facts, Id, Time } from "../../ui/data";
import { Loaded } from "../../ui/state";
import { LiveOperation } from "../operations/LiveOperation";
import { useTenant } from "../tenant/Tenant";
import { ExportLinks } from "./ExportLinks";
import { RestoreExport } from "./RestoreExport";
import { type Export, STATES, useExport } from "./exportData";

export function ExportPage() {
    const { tenant } = useTenant();
    const { exportId } = useParams({ from: "/tenants/$id/exports/$exportId" });
    const read = useExport(tenant.id, exportId);
    return (
        <>
            <div className="actions">
                <Link to="/tenants/$id/exports" params={{ id: tenant.id }} className="button">
                    All exports
                </Link>
                <CopyAsCommand request={{ operation: "GET /tenants/{id}/exports/{export_id}", ids: [tenant.id, exportId] }} />
                {read.data && (
                    <>
                        <ExportLinks of={read.data.data} />
                        <RestoreExport of={read.data.data} slug={tenant.slug} />
                    </>
                )}
            </div>
            <Loaded read={read}>
                {({ data }) => (
                    <div className="grid">
                        <Card title="Export" aside={<Badge value={data.status} />}>
                            <p role="status">{STATES[data.status]}</p>
                            <Facts facts={factsOf(data)} />
                            <AsOf reads={[read]} />
                        </Card>
                        <Card title="Progress">
                            <LiveOperation id={data.operation_id} />
                        </Card>
                    </div>
                )}
            </Loaded>
        </>
    );
}

function factsOf({ id, reason, requested_by, created_at, finished_at, expires_at, manifest_sha256, summary }: Export): [string, ReactNode][] {
    const facts: [string, ReactNode][] = [
        ["Reason", reason],
        ["Requested", <Time key="created" value={created_at} both seconds />],
        ["Requested by", <Id key="by" value={requested_by} label="super-admin's id" />],
        ["Finished", <Time key="finished" value={finished_at} both seconds />],
        ["Expires", <Time key="expires" value={expires_at} both />],
        ["Id", <Id key="id" value={id} label="export's id" />],
    ];
    if (manifest_sha256) facts.push(["SHA-256 of the manifest", <Id key="sha" value={manifest_sha256} label="digest of the manifest" />]);
    if (!summary) return facts;
    return [
        ...facts,
        ["Rows", `${number(summary.rows)} of PostgreSQL, as of a snapshot`],
        ["Snapshot", <Time key="postgresql" value={summary.postgresql_at} both seconds />],
        ["Documents", `${number(summary.documents)} of MongoDB, as of one time of the cluster`],
        ["Cluster's time", <Time key="mongodb" value={summary.mongodb_at} both seconds />],
        ["Objects", `${number(summary.objects)} listed, of ${bytes(summary.object_bytes)}; the objects themselves are not in the export`],
        ["Files", `${number(summary.files)} of ${bytes(summary.bytes)}, compressed`],
    ];
}
