import { useState } from "react";

import { type Schemas, api, body } from "../../api/client";
import { Act } from "../../ui/Act";
import { Badge, Card, Facts, Time } from "../../ui/data";
import { REASONS, SuspensionFields, UNEXPLAINED, suspensionOf } from "../tenants/SuspensionFields";
import { servicesText } from "./services";
import type { TenantActProps } from "./useTenantActs";

/** Suspends an active tenant, or reactivates a suspended one. */
export function SuspensionActs({ tenant, renewAll, revision }: TenantActProps) {
    const [why, setWhy] = useState(UNEXPLAINED);
    const change = (patch: Schemas["TenantPatch"]) => async (header: { "if-match"?: string }) => {
        await body(api.PATCH("/api/super-admin/tenants/{id}", { params: { path: { id: tenant.id }, header }, body: patch }));
        await renewAll();
    };
    const request = (patch: Schemas["TenantPatch"]) => ({ operation: "PATCH /tenants/{id}" as const, ids: [tenant.id], body: { ...patch } });
    const suspension = suspensionOf(why);
    const isCopy = tenant.restored_from !== null;
    return (
        <>
            <Act
                available={tenant.status === "active"}
                name="Suspend"
                title={`Suspend ${tenant.slug}`}
                kind="danger"
                consequences={[
                    "Its users cannot work until it is reactivated.",
                    "The platform's services lose their access to its databases within a second, and their sessions end.",
                    "Live impersonations in it end at once.",
                    "Its users can be read meanwhile, but not changed. Its name and its limits can still be changed.",
                    "No data are removed. The services receive the event tenant.suspended, and confirm that they refuse its users.",
                ]}
                confirm={tenant.slug}
                request={request(suspension)}
                revision={revision}
                act={change(suspension)}
                done={`${tenant.slug} is suspended`}
                onClose={() => setWhy(UNEXPLAINED)}
            >
                {(problem) => <SuspensionFields why={why} onChange={setWhy} problem={problem} />}
            </Act>
            <Act
                available={tenant.status === "suspended"}
                name="Reactivate"
                title={`Reactivate ${tenant.slug}`}
                kind={isCopy ? "danger" : "primary"}
                consequences={[
                    "Its users can work again as soon as the services have their access back.",
                    "Impersonations that its suspension ended stay ended.",
                    ...(isCopy ? ["It is a restored copy. If its original is active, too, both do the same work: every scheduled broadcast is sent twice."] : []),
                ]}
                confirm={isCopy ? tenant.slug : undefined}
                request={request({ status: "active" })}
                revision={revision}
                act={change({ status: "active" })}
                done={`${tenant.slug} is active`}
            />
        </>
    );
}

export function SuspensionCard({ suspension }: { suspension: Schemas["Suspension"] }) {
    // The document permits its absence, because stored suspensions lack it. Every answer has it.
    const { requested_at, reason, comment, acknowledged_by, pending = [] } = suspension;
    return (
        <Card title="Suspension" aside={pending.length > 0 ? <Badge value="not confirmed by all services" tone="warn" /> : <Badge value="confirmed by all services" tone="ok" />}>
            <Facts
                facts={[
                    ["Since", <Time key="since" value={requested_at} both seconds />],
                    ["Reason", REASONS[reason]],
                    ["Comment", comment ?? <span className="muted">none</span>],
                    ["Confirmed by", servicesText(acknowledged_by)],
                    ["Not confirmed by", servicesText(pending)],
                ]}
            />
            <p className="hint">A service confirms that it refuses the users of the tenant. Whatever it confirms, it has no access to the databases.</p>
        </Card>
    );
}
