// The list of tenants: its filters, its requests and its rows.

import { type Schemas, api, page } from "../../api/client";
import { values } from "../../api/generated/operations";
import type { paths } from "../../api/generated/schema";
import { oneOf } from "../../api/oneOf";
import type { Page } from "../../api/pages";

/** A tenant in the list. 100,000 of these fit into the memory of a tab. */
export interface TenantRow extends Pick<Schemas["Organization"], "id" | "name" | "slug" | "status" | "country" | "created_at" | "limits" | "on_limit" | "restored_from"> {
    agents: number | null;
    contacts: number | null;
    messages: number | null;
    storage: number | null;
    measured_at: string | null;
}

interface TenantFilter {
    status?: string;
    country?: string;
    search?: string;
    sort?: string;
    over_limit?: string;
}

type TenantsQuery = NonNullable<paths["/api/super-admin/tenants"]["get"]["parameters"]["query"]>;
type UsageQuery = NonNullable<paths["/api/super-admin/tenants/usage"]["get"]["parameters"]["query"]>;

const BY_TIME = ["-created_at", "created_at"] as const;
const BY_USAGE = ["-messages_month", "-agents", "-contacts", "-storage_bytes"] as const;

/** The endpoint that serves an order and a filter, with its parameters. Only one of them can sort by use or find what is over a limit. */
export function requestOf({ status, country, search, sort, over_limit }: TenantFilter): { operation: "GET /tenants"; query: TenantsQuery } | { operation: "GET /tenants/usage"; query: UsageQuery } {
    const shared = {
        status: asList(oneOf(values.TenantStatus, status)),
        country: asList(oneOf(values.Country, country)),
        search: search || undefined,
    };
    const usage = oneOf(BY_USAGE, sort);
    if (usage || over_limit === "true") return { operation: "GET /tenants/usage", query: { ...shared, sort: usage, over_limit: over_limit === "true" ? true : undefined } };
    return { operation: "GET /tenants", query: { ...shared, sort: oneOf(BY_TIME, sort), include: ["usage"] } };
}

const asList = <T>(value: T | undefined): T[] | undefined => (value === undefined ? undefined : [value]);

export async function readTenants(filter: TenantFilter, cursor: string | undefined, signal: AbortSignal, limit: number, count = true): Promise<Page<TenantRow>> {
    const paging = { limit, cursor, count: count && !cursor ? true : undefined };
    const request = requestOf(filter);
    const answer =
        request.operation === "GET /tenants"
            ? await page(api.GET("/api/super-admin/tenants", { params: { query: { ...request.query, ...paging } }, signal }))
            : await page(api.GET("/api/super-admin/tenants/usage", { params: { query: { ...request.query, ...paging } }, signal }));
    return { ...answer, items: answer.items.map(rowOf) };
}

const rowOf = ({ id, name, slug, status, country, created_at, limits, on_limit, restored_from, usage }: Schemas["OrganizationView"]): TenantRow => ({
    id,
    name,
    slug,
    status,
    country,
    created_at,
    limits,
    on_limit,
    restored_from,
    agents: usage?.agents ?? null,
    contacts: usage?.contacts ?? null,
    messages: usage?.messages_month ?? null,
    storage: usage?.storage_bytes ?? null,
    measured_at: usage?.measured_at ?? null,
});
