import { useQueryClient } from "@tanstack/react-query";

import type { Schemas } from "../../api/client";
import { useRenew } from "../../api/useRenew";
import { tenantQuery } from "./Tenant";

/** What every act on a tenant needs. */
export interface TenantActProps {
    tenant: Schemas["Organization"];
    /** Reads again what the act may have changed. */
    renewAll: () => Promise<unknown>;
    /** The entity tag of the tenant's current state. */
    revision: () => Promise<string>;
}

export function useTenantActs(tenant: Schemas["Organization"]): TenantActProps {
    const queries = useQueryClient();
    const renew = useRenew();
    return {
        tenant,
        renewAll: () => renew("tenant", "tenants", "receipt", "exports", "operation", "operations", "audit", "impersonations"),
        revision: async () => (await queries.fetchQuery({ ...tenantQuery(tenant.id), staleTime: 0 })).etag,
    };
}
