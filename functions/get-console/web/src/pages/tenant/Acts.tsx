import { type Schemas, api, body } from "../../api/client";
import { useIdempotencyKey } from "../../api/useIdempotencyKey";
import { Act } from "../../ui/Act";
import { DeletionActs } from "./Deletion";
import { SuspensionActs } from "./Suspension";
import { useTenantActs } from "./useTenantActs";

/** What can be done with a tenant in its state. */
export function TenantActs({ tenant }: { tenant: Schemas["Organization"] }) {
    const shared = useTenantActs(tenant);
    const { keyOf, forget } = useIdempotencyKey();
    return (
        <>
            <SuspensionActs {...shared} />
            <Act
                // The API does not retry the restore of an export.
                available={tenant.status === "failed" && !tenant.restored_from}
                name="Provision again"
                kind="primary"
                consequences={["Its databases are created anew; nothing of the failed attempt exists.", "The first admin gets the password of the original request."]}
                request={{ operation: "POST /tenants/{id}/retry", ids: [tenant.id] }}
                act={async () => {
                    await body(api.POST("/api/super-admin/tenants/{id}/retry", { params: { path: { id: tenant.id }, header: { "idempotency-key": keyOf(tenant.id) } } }));
                    forget();
                    await shared.renewAll();
                }}
                done="Provisioning begins again"
            />
            <DeletionActs {...shared} />
        </>
    );
}
