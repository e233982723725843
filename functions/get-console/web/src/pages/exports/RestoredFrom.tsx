import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { type Schemas, api, body } from "../../api/client";
import { useIdempotencyKey } from "../../api/useIdempotencyKey";
import { Act } from "../../ui/Act";
import { Badge, Card, Facts, Name } from "../../ui/data";
import { Area, errorOf } from "../../ui/form";
import { Loaded } from "../../ui/state";
import { tenantQuery } from "../tenant/Tenant";
import { useTenantActs } from "../tenant/useTenantActs";
import { type Condition, conditionsOf } from "./promotion";

type Tenant = Schemas["Organization"];

interface Props {
    copy: Tenant;
    from: Schemas["RestoredFrom"];
}

/** Where a restored copy comes from, and its promotion. */
export function RestoredFromCard({ copy, from }: Props) {
    const read = useQuery({ ...tenantQuery(from.tenant_id), refetchInterval: 4_000 });
    return (
        <Card title="Restored copy">
            <p>This tenant is a copy, which was restored from an export. Its databases are its own.</p>
            {copy.status === "failed" && <p role="status">The restore has failed, and cannot be retried. Delete this copy, and restore the export again.</p>}
            <Loaded read={read}>
                {({ data: original }) => (
                    <>
                        <Facts
                            facts={[
                                [
                                    "Original",
                                    <Link key="original" to="/tenants/$id" params={{ id: original.id }}>
                                        <Name>{original.name}</Name> <span className="muted">{original.slug}</span>
                                    </Link>,
                                ],
                                ["Its status", <Badge key="status" value={original.status} />],
                                [
                                    "Export",
                                    <Link key="export" to="/tenants/$id/exports/$exportId" params={{ id: original.id, exportId: from.export_id }}>
                                        Open the export
                                    </Link>,
                                ],
                            ]}
                        />
                        <Promotion copy={copy} original={original} />
                    </>
                )}
            </Loaded>
        </Card>
    );
}

/** The conditions of a promotion, and the act. The API checks all of them again. */
function Promotion({ copy, original }: { copy: Tenant; original: Tenant }) {
    const { renewAll, revision } = useTenantActs(copy);
    const navigate = useNavigate();
    const { keyOf, forget } = useIdempotencyKey();
    const [reason, setReason] = useState("");
    const conditions = conditionsOf(copy, original);
    const isDone = conditions.every(({ holds }) => holds);
    const request: Schemas["PromotionRequest"] = { reason };
    const query = { confirm: original.slug };
    return (
        <>
            <Conditions conditions={conditions} />
            <div className="actions">
                <Act
                    available={isDone}
                    name="Promote"
                    title={`Promote the copy to ${original.slug}`}
                    kind="danger"
                    consequences={[
                        `${original.slug} gets the databases of this copy, and this copy gets the present databases of ${original.slug}: at once, and as a whole.`,
                        `Whatever was written to ${original.slug} since the export is not in its new databases. It stays in the databases that this copy gets.`,
                        "Objects that the original lacks are copied to it. No object is removed.",
                        `Both tenants stay suspended. Reactivate ${original.slug} when you have looked at it.`,
                        "Another promotion takes this one back, as long as this copy is kept. Delete it only when the result is checked.",
                        "Services receive an event for each tenant, and read again where the databases are.",
                    ]}
                    confirm={original.slug}
                    request={{ operation: "POST /tenants/{id}/promote", ids: [copy.id], query, body: { ...request } }}
                    revision={revision}
                    act={async (header) => {
                        const params = { path: { id: copy.id }, query, header: { ...header, "idempotency-key": keyOf([request, header]) } };
                        await body(api.POST("/api/super-admin/tenants/{id}/promote", { params, body: request }));
                        forget();
                        await renewAll();
                        await navigate({ to: "/tenants/$id", params: { id: original.id } });
                    }}
                    done={`${original.slug} has the databases of its copy`}
                    onClose={() => setReason("")}
                >
                    {(problem) => <Area label="Reason" required minLength={10} maxLength={500} value={reason} error={errorOf(problem, "/reason")} hint="At least 10 characters, without personal data. The audit log contains it." onChange={(event) => setReason(event.target.value)} />}
                </Act>
            </div>
        </>
    );
}

function Conditions({ conditions }: { conditions: Condition[] }) {
    return (
        <section aria-label="Conditions of a promotion">
            <p>
                A promotion gives the original the databases of this copy. It needs:
            </p>
            <ul className="list">
                {conditions.map(({ text, holds, remedy }) => (
                    <li key={text}>
                        <Badge value={holds ? "fulfilled" : "not fulfilled"} tone={holds ? "ok" : "warn"} />
                        <span>{text}</span>
                        {!holds && remedy && <span className="full small muted">{remedy}</span>}
                    </li>
                ))}
            </ul>
            <p className="hint">The API also requires that no operation and no change of either tenant is open. After a suspension, that takes some seconds.</p>
        </section>
    );
}
