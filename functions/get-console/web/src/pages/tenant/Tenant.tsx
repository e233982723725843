import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useParams } from "@tanstack/react-router";
import { createContext, useContext } from "react";

import { type Schemas, api, tagged } from "../../api/client";
import { CopyAsCommand } from "../../ui/Copy";
import { Page } from "../../ui/Page";
import { Badge, Name } from "../../ui/data";
import { Loading, ProblemNote, Stale } from "../../ui/state";
import { TenantActs } from "./Acts";

interface TenantRead {
    tenant: Schemas["OrganizationView"];
    etag: string;
    dataUpdatedAt: number;
}

const Context = createContext<TenantRead | undefined>(undefined);

/** The tenant whose page this is. */
export function useTenant(): TenantRead {
    const tenant = useContext(Context);
    if (!tenant) throw new Error("not within the page of a tenant");
    return tenant;
}

/** What the pages of a tenant show beside it. */
const INCLUDE: ("usage" | "operation" | "limits_reached")[] = ["usage", "operation", "limits_reached"];

export const tenantQuery = (id: string) => ({
    queryKey: ["tenant", id],
    queryFn: ({ signal }: { signal: AbortSignal }) =>
        tagged(api.GET("/api/super-admin/tenants/{id}", { params: { path: { id }, query: { include: INCLUDE } }, signal })),
});

const TABS = [
    ["/tenants/$id", "Overview"],
    ["/tenants/$id/operations", "Operations"],
    ["/tenants/$id/exports", "Exports"],
    ["/tenants/$id/users", "Users"],
    ["/tenants/$id/impersonations", "Impersonations"],
    ["/tenants/$id/audit", "Audit"],
] as const;

export function Tenant() {
    const { id } = useParams({ from: "/tenants/$id" });
    const read = useQuery({ ...tenantQuery(id), refetchInterval: 4_000 });
    const above = <Link to="/tenants">Tenants</Link>;
    if (!read.data) {
        return (
            <Page title="Tenant" above={above}>
                {read.error ? <ProblemNote problem={read.error} retry={() => void read.refetch()} /> : <Loading rows={8} />}
            </Page>
        );
    }
    const tenant = read.data.data;
    return (
        <Page
            title={tenant.name}
            above={
                <>
                    {above} / <Name>{tenant.slug}</Name>
                </>
            }
            badge={<Badge value={tenant.status} />}
            actions={
                <>
                    <CopyAsCommand request={{ operation: "GET /tenants/{id}", ids: [id], query: { include: INCLUDE.join(",") } }} />
                    <TenantActs tenant={tenant} />
                </>
            }
        >
            <Stale read={read} />
            <nav className="tabs" aria-label="Sections of this tenant">
                {TABS.map(([to, name]) => (
                    <Link key={to} to={to} params={{ id }} className="tab" activeOptions={{ exact: to === "/tenants/$id", includeSearch: false }} activeProps={{ "aria-current": "page" }}>
                        {name}
                    </Link>
                ))}
            </nav>
            <Context value={{ tenant, etag: read.data.etag, dataUpdatedAt: read.dataUpdatedAt }}>
                <Outlet />
            </Context>
        </Page>
    );
}
