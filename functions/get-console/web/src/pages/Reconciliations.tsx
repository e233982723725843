import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";

import { type Schemas, api, body, page } from "../api/client";
import { useList } from "../api/lists";
import { useRenew } from "../api/useRenew";
import { number } from "../format";
import { Act } from "../ui/Act";
import { CopyAsCommand } from "../ui/Copy";
import { Page } from "../ui/Page";
import { ListTable } from "../ui/ListTable";
import type { Columns } from "../ui/Table";
import { Badge, Time } from "../ui/data";
import { Empty } from "../ui/state";

type Reconciliation = Schemas["Reconciliation"];

export function Reconciliations() {
    const renew = useRenew();
    const navigate = useNavigate();
    const list = useList(["reconciliations"], (cursor, signal) => page(api.GET("/api/super-admin/reconciliations", { params: { query: { limit: 50, cursor } }, signal })), { every: 4_000 });
    const begin = (dry_run: boolean) => async () => {
        const report = await body(api.POST("/api/super-admin/reconciliations", { body: { dry_run } }));
        await renew("reconciliations", "audit");
        await navigate({ to: "/reconciliations/$id", params: { id: report.id } });
    };
    const columns = useMemo<Columns<Reconciliation>>(
        () => [
            {
                id: "created",
                size: 190,
                header: "Requested",
                cell: ({ row: { original } }) => (
                    <Link to="/reconciliations/$id" params={{ id: original.id }} className="row-link">
                        <Time value={original.created_at} seconds />
                    </Link>
                ),
            },
            { id: "kind", size: 130, header: "Kind", cell: ({ row }) => (row.original.dry_run ? "Comparison only" : "With repairs") },
            { id: "state", size: 110, header: "State", cell: ({ row }) => <Badge value={row.original.finished_at ? "done" : "running"} /> },
            { id: "findings", size: 110, header: "Findings", cell: ({ row }) => number(row.original.counts.reduce((sum, { count }) => sum + count, 0)) },
            { id: "compared", size: 110, header: "Compared", cell: ({ row }) => number(row.original.compared) },
            { id: "unknown", size: 150, header: "Unreachable", cell: ({ row }) => (row.original.unknown.length > 0 ? row.original.unknown.map(({ store }) => store).join(", ") : <span className="muted">nothing</span>) },
            { id: "by", size: 200, header: "Requested by", cell: ({ row }) => row.original.requested_by },
        ],
        [],
    );
    return (
        <Page
            title="Reconciliations"
            actions={
                <>
                    <CopyAsCommand request={{ operation: "GET /reconciliations" }} />
                    <Act name="Compare now" consequences={["All stores are compared with the platform database.", "Nothing is changed."]} request={{ operation: "POST /reconciliations", body: { dry_run: true } }} act={begin(true)} done="The comparison has begun" />
                    <Act name="Compare and repair" kind="danger" consequences={["All stores are compared with the platform database.", "Databases and objects that no tenant has are removed by an operation, once they are old enough.", "Stuck operations are woken and interrupted changes settled."]} confirm="repair" request={{ operation: "POST /reconciliations", body: { dry_run: false } }} act={begin(false)} done="The repair has begun" />
                </>
            }
        >
            <ListTable list={list} label="Reconciliations" columns={columns} empty={<Empty title="No reconciliation is recorded" />} />
        </Page>
    );
}
