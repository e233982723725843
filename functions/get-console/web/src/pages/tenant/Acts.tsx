import { useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";

import { type Schemas, api, body } from "../../api/client";
import { Act } from "../../ui/Act";

/** What can be done with a tenant in its state. */
export function TenantActs({ tenant, etag }: { tenant: Schemas["OrganizationView"]; etag: string }) {
    const queries = useQueryClient();
    const key = useRef(crypto.randomUUID());
    const renew = () => Promise.all(["tenant", "tenants", "operations", "audit"].map((name) => queries.invalidateQueries({ queryKey: [name] })));
    const params = { path: { id: tenant.id }, header: { "if-match": etag } };
    const setStatus = (status: "active" | "suspended") => async () => {
        await body(api.PATCH("/api/super-admin/tenants/{id}", { params, body: { status } }));
        await renew();
    };
    const request = (status: string) => ({ method: "PATCH" as const, path: `/tenants/${tenant.id}`, body: { status } });
    return (
        <>
            {tenant.status === "active" && (
                <Act
                    operation="PATCH /tenants/{id}"
                    name="Suspend"
                    title={`Suspend ${tenant.slug}`}
                    kind="danger"
                    consequences={["Its users cannot work until it is reactivated.", "Live impersonations in it end at once.", "Its users and limits cannot be changed meanwhile, only read.", "No data are removed. The services learn of it by the event tenant.suspended."]}
                    confirm={tenant.slug}
                    request={request("suspended")}
                    act={setStatus("suspended")}
                    done={`${tenant.slug} is suspended`}
                />
            )}
            {tenant.status === "suspended" && (
                <Act
                    operation="PATCH /tenants/{id}"
                    name="Reactivate"
                    title={`Reactivate ${tenant.slug}`}
                    kind="primary"
                    consequences={["Its users can work again at once.", "Impersonations that its suspension ended stay ended."]}
                    request={request("active")}
                    act={setStatus("active")}
                    done={`${tenant.slug} is active`}
                />
            )}
            {tenant.status === "failed" && (
                <Act
                    operation="POST /tenants/{id}/retry"
                    name="Provision again"
                    kind="primary"
                    consequences={["Its databases are created anew; nothing of the failed attempt exists.", "The first admin gets the password of the original request."]}
                    request={{ method: "POST", path: `/tenants/${tenant.id}/retry` }}
                    act={async () => {
                        await body(api.POST("/api/super-admin/tenants/{id}/retry", { params: { path: { id: tenant.id }, header: { "idempotency-key": key.current } } }));
                        key.current = crypto.randomUUID();
                        await renew();
                    }}
                    done="Provisioning begins again"
                />
            )}
        </>
    );
}
