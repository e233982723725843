import { Link } from "@tanstack/react-router";
import { useMemo } from "react";

import { type Schemas, api, ifChanged, page } from "../../api/client";
import { useList } from "../../api/lists";
import { CopyAsCommand } from "../../ui/Copy";
import { ListTable } from "../../ui/ListTable";
import type { Columns } from "../../ui/Table";
import { Badge, Time } from "../../ui/data";
import { Empty } from "../../ui/state";
import { Countdown } from "./Countdown";
import { EndImpersonation } from "./EndImpersonation";

type Impersonation = Schemas["Impersonation"];

export function ImpersonationList({ filter }: { filter: { tenant_id?: string; live?: boolean } }) {
    const list = useList<Impersonation>(["impersonations", filter], (cursor, signal, before) => page(api.GET("/api/super-admin/impersonations", { params: { query: { ...filter, limit: 100, cursor }, header: ifChanged(before) }, signal }), before), { every: 3_000 });
    const columns = useMemo<Columns<Impersonation>>(
        () => [
            { id: "state", size: 130, header: "State", cell: ({ row: { original } }) => (original.live ? <Countdown until={original.expires_at} small /> : <Badge value={original.end_reason ?? "ended"} />) },
            { id: "user", size: 200, header: "User", cell: ({ row }) => row.original.user_email },
            { id: "admin", size: 200, header: "By", cell: ({ row: { original } }) => original.admin_email ?? original.admin_id },
            { id: "access", size: 80, header: "Access", cell: ({ row }) => <Badge value={row.original.access} /> },
            { id: "reason", size: 220, header: "Reason", cell: ({ row: { original } }) => <span title={original.reason}>{original.reason}</span> },
            { id: "ticket", size: 100, header: "Ticket", cell: ({ row }) => row.original.ticket ?? <span className="muted">none</span> },
            { id: "started", size: 185, header: "Started", cell: ({ row }) => <Time value={row.original.started_at} seconds /> },
            ...(filter.tenant_id
                ? []
                : ([
                      {
                          id: "tenant",
                          size: 130,
                          header: "Tenant",
                          cell: ({ row }) => (
                              <Link to="/tenants/$id" params={{ id: row.original.tenant_id }}>
                                  Open the tenant
                              </Link>
                          ),
                      },
                  ] satisfies Columns<Impersonation>)),
            { id: "acts", size: 110, header: () => <span className="hidden">Actions</span>, cell: ({ row: { original } }) => <EndImpersonation id={original.id} email={original.user_email} live={original.live} /> },
        ],
        [filter.tenant_id],
    );
    return (
        <>
            <div className="actions">
                <CopyAsCommand request={{ operation: "GET /impersonations", query: filter }} />
            </div>
            <ListTable
                list={list}
                label="Impersonations"
                columns={columns}
                empty={
                    <Empty title={filter.live ? "Nobody is impersonated now" : "No impersonation is recorded"}>
                        <p className="muted">An impersonation is started from a user of a tenant.</p>
                    </Empty>
                }
            />
        </>
    );
}
