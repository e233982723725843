import { useQueryClient } from "@tanstack/react-query";

import { type Schemas, api, body } from "../../api/client";
import { useIdempotencyKey } from "../../api/useIdempotencyKey";
import { useRenew } from "../../api/useRenew";
import { Act } from "../../ui/Act";
import { tenantQuery } from "./Tenant";

/** What can be done with a tenant in its state. */
export function TenantActs({ tenant }: { tenant: Schemas["Organization"] }) {
    const queries = useQueryClient();
    const renew = useRenew();
    const { keyOf, forget } = useIdempotencyKey();
    const path = { id: tenant.id };
    const renewAll = () => renew("tenant", "tenants", "operations", "audit", "impersonations");
    const revision = async () => (await queries.fetchQuery({ ...tenantQuery(tenant.id), staleTime: 0 })).etag;
    const setStatus = (status: Schemas["SettableTenantStatus"]) => async (header: { "if-match"?: string }) => {
        await body(api.PATCH("/api/super-admin/tenants/{id}", { params: { path, header }, body: { status } }));
        await renewAll();
    };
    const request = (status: Schemas["SettableTenantStatus"]) => ({ operation: "PATCH /tenants/{id}" as const, ids: [tenant.id], body: { status } });
    return (
        <>
            <Act
                available={tenant.status === "active"}
                name="Suspend"
                title={`Suspend ${tenant.slug}`}
                kind="danger"
                consequences={[
                    "Its users cannot work until it is reactivated.",
                    "Live impersonations in it end at once.",
                    "Its users can be read meanwhile, but not changed. Its name and its limits can still be changed.",
                    "No data are removed. The services receive the event tenant.suspended.",
                ]}
                confirm={tenant.slug}
                request={request("suspended")}
                revision={revision}
                act={setStatus("suspended")}
                done={`${tenant.slug} is suspended`}
            />
            <Act
                available={tenant.status === "suspended"}
                name="Reactivate"
                title={`Reactivate ${tenant.slug}`}
                kind="primary"
                consequences={["Its users can work again at once.", "Impersonations that its suspension ended stay ended."]}
                request={request("active")}
                revision={revision}
                act={setStatus("active")}
                done={`${tenant.slug} is active`}
            />
            <Act
                available={tenant.status === "failed"}
                name="Provision again"
                kind="primary"
                consequences={["Its databases are created anew; nothing of the failed attempt exists.", "The first admin gets the password of the original request."]}
                request={{ operation: "POST /tenants/{id}/retry", ids: [tenant.id] }}
                act={async () => {
                    await body(api.POST("/api/super-admin/tenants/{id}/retry", { params: { path, header: { "idempotency-key": keyOf(tenant.id) } } }));
                    forget();
                    await renewAll();
                }}
                done="Provisioning begins again"
            />
        </>
    );
}
