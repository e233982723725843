import { Link } from "@tanstack/react-router";
import { useMemo } from "react";

import { api, page } from "../../api/client";
import { useList } from "../../api/lists";
import { CopyAsCommand } from "../../ui/Copy";
import { ListTable } from "../../ui/ListTable";
import type { Columns } from "../../ui/Table";
import { Badge, Time } from "../../ui/data";
import { Empty } from "../../ui/state";
import { useTenant } from "../tenant/Tenant";
import { type Export, contentText } from "./exportData";
import { StartExport } from "./StartExport";

/** The exports of a tenant, which may be deleted. */
export function Exports() {
    const { tenant } = useTenant();
    const list = useList(["exports", tenant.id], (cursor, signal) => page(api.GET("/api/super-admin/tenants/{id}/exports", { params: { path: { id: tenant.id }, query: { limit: 50, cursor } }, signal })), { every: 3_000 });
    const columns = useMemo<Columns<Export>>(
        () => [
            {
                id: "created",
                size: 190,
                header: "Requested",
                cell: ({ row: { original } }) => (
                    <Link to="/tenants/$id/exports/$exportId" params={{ id: original.tenant_id, exportId: original.id }} className="row-link">
                        <Time value={original.created_at} seconds />
                    </Link>
                ),
            },
            { id: "status", size: 110, header: "Status", cell: ({ row }) => <Badge value={row.original.status} /> },
            { id: "reason", size: 220, header: "Reason", cell: ({ row }) => <span title={row.original.reason}>{row.original.reason}</span> },
            { id: "content", size: 330, header: "Content", cell: ({ row: { original } }) => (original.summary ? contentText(original.summary) : <span className="muted">not complete</span>) },
            { id: "expires", size: 160, header: "Expires", cell: ({ row }) => <Time value={row.original.expires_at} /> },
        ],
        [],
    );
    return (
        <>
            <div className="actions">
                <StartExport tenant={tenant} />
                <CopyAsCommand request={{ operation: "GET /tenants/{id}/exports", ids: [tenant.id] }} />
            </div>
            {tenant.status !== "active" && <p className="muted">The tenant is {tenant.status}; only an active one can be exported.</p>}
            <ListTable list={list} label="Exports" columns={columns} empty={<Empty title="No export is recorded" />} />
        </>
    );
}
