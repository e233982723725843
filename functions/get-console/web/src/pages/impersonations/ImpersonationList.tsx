import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";

import { type Schemas, api, body, page } from "../../api/client";
import { useList } from "../../api/lists";
import { duration, sentence } from "../../format";
import { Act } from "../../ui/Act";
import { CopyAsCurl } from "../../ui/Copy";
import { type Columns, Table } from "../../ui/Table";
import { Badge, Time } from "../../ui/data";
import { Empty, Loading, ProblemNote, Stale } from "../../ui/state";

type Impersonation = Schemas["Impersonation"];

function useNow(): number {
    const [now, setNow] = useState(Date.now);
    useEffect(() => {
        const timer = setInterval(() => setNow(Date.now()), 1000);
        return () => clearInterval(timer);
    }, []);
    return now;
}

export function Countdown({ until, small }: { until: string; small?: boolean }) {
    const left = Date.parse(until) - useNow();
    const text = left > 0 ? duration(Math.ceil(left / 1000) * 1000) : "expired";
    return small ? <span className="meter-text">{text}</span> : <p className="countdown" role="timer" aria-label="Time left">{text}</p>;
}

export function EndImpersonation({ id, email, ended }: { id: string; email: string; ended?: () => void }) {
    const queries = useQueryClient();
    return (
        <Act
            operation="DELETE /impersonations/{id}"
            name="End now"
            title={`End the impersonation of ${email}`}
            kind="danger"
            consequences={["Services refuse its token within a second.", "The tenant's record and the audit log show who ended it."]}
            request={{ method: "DELETE", path: `/impersonations/${id}` }}
            act={async () => {
                await body(api.DELETE("/api/super-admin/impersonations/{id}", { params: { path: { id } } }));
                await queries.invalidateQueries({ queryKey: ["impersonations"] });
                ended?.();
            }}
            done="The impersonation has ended"
        />
    );
}

export function ImpersonationList({ filter }: { filter: { tenant_id?: string; live?: boolean } }) {
    const list = useList(["impersonations", filter], (cursor, signal) => page(api.GET("/api/super-admin/impersonations", { params: { query: { ...filter, limit: 100, cursor } }, signal })), { every: 3_000 });
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
            { id: "acts", size: 110, header: () => <span className="hidden">Acts</span>, cell: ({ row: { original } }) => original.live && <EndImpersonation id={original.id} email={original.user_email} /> },
        ],
        [filter.tenant_id],
    );
    return (
        <>
            <div className="actions">
                <CopyAsCurl request={{ path: "/impersonations", query: filter }} />
            </div>
            <Stale read={list.query} />
            {list.query.isPending ? (
                <Loading />
            ) : list.query.error && list.items.length === 0 ? (
                <ProblemNote problem={list.query.error} retry={() => void list.query.refetch()} />
            ) : list.items.length === 0 ? (
                <Empty title={filter.live ? "Nobody is impersonated now" : "No impersonation is recorded"}>
                    <p className="muted">An impersonation is started from a user of a tenant.</p>
                </Empty>
            ) : (
                <Table label="Impersonations" columns={columns} rows={list.items} idOf={(one) => one.id} more={list.more} loading={list.loading} loadMore={list.loadMore} />
            )}
        </>
    );
}

export const endReason = (impersonation: Impersonation): string => sentence(impersonation.end_reason ?? "live");
