import { useState } from "react";

import { useMay } from "../../api/acts";
import { bytes, sentence, short } from "../../format";
import { AsOf } from "../../ui/AsOf";
import { Button } from "../../ui/Button";
import { MeasuredAt } from "../../ui/MeasuredAt";
import { Badge, Card, Facts, Id, Meter, Name, Time } from "../../ui/data";
import { Empty } from "../../ui/state";
import { RestoredFromCard } from "../exports/RestoredFrom";
import { ON_LIMIT } from "../tenants/OnLimitSelect";
import { LiveOperation } from "../operations/LiveOperation";
import { nameOf } from "../operations/kinds";
import { DeletionCard } from "./Deletion";
import { EditTenant } from "./EditTenant";
import { LimitsReached } from "./LimitsReached";
import { ReceiptCard } from "./Receipt";
import { SuspensionCard } from "./Suspension";
import { useTenant } from "./Tenant";
import { UsageHistory } from "./UsageHistory";

export function Summary() {
    const { tenant, etag, dataUpdatedAt } = useTenant();
    const [editing, setEditing] = useState(false);
    const mayEdit = useMay("PATCH /tenants/{id}") && (tenant.status === "active" || tenant.status === "suspended" || tenant.status === "failed");
    const { usage, limits, operation } = tenant;
    return (
        <>
            <div className="grid">
                {tenant.deletion && <DeletionCard deletion={tenant.deletion} status={tenant.status} />}
                {tenant.suspension && <SuspensionCard suspension={tenant.suspension} />}
                {tenant.restored_from && <RestoredFromCard copy={tenant} from={tenant.restored_from} />}
                <Card title="Facts">
                    <Facts
                        facts={[
                            ["Name", <Name key="name">{tenant.name}</Name>],
                            ["Slug", <Id key="slug" value={tenant.slug} label="slug" />],
                            ["Id", <Id key="id" value={tenant.id} />],
                            ["Country", tenant.country],
                            ["MongoDB database", <Id key="mongo" value={tenant.mongo_database} label="name of the database" />],
                            ["Schema", `version ${tenant.schema_version}`],
                            ["Created", <Time key="created" value={tenant.created_at} both />],
                            ["Changed", <Time key="updated" value={tenant.updated_at} both />],
                        ]}
                    />
                    <AsOf reads={[{ dataUpdatedAt }]} />
                </Card>
                <Card title="Usage and limits" aside={mayEdit && <Button onClick={() => setEditing(true)}>Edit name and limits</Button>}>
                    {usage ? (
                        <>
                            <Facts
                                facts={[
                                    ["Agents", <Meter key="a" label="Agents" value={usage.agents} limit={limits.max_agents} />],
                                    ["Online now", usage.agents_online ?? "not measured"],
                                    ["Contacts", <Meter key="c" label="Contacts" value={usage.contacts} limit={limits.max_contacts} />],
                                    [`Messages in ${usage.month}`, <Meter key="m" label="Messages this month" value={usage.messages_month} limit={limits.max_messages_month} format={short} />],
                                    ["Storage", usage.storage_bytes === null ? "not measured" : bytes(usage.storage_bytes)],
                                ]}
                            />
                            <p>
                                When a limit is reached: <span className="strong">{ON_LIMIT[tenant.on_limit].name}.</span> <span className="muted">{ON_LIMIT[tenant.on_limit].meaning}</span>
                            </p>
                            {usage.over_limit.length > 0 && (
                                <p>
                                    <Badge value="over limit" tone="danger" /> {usage.over_limit.map(sentence).join(", ")}
                                </p>
                            )}
                            <LimitsReached limits={tenant.limits_reached ?? []} />
                            {usage.error && (
                                <p className="field-error">The last measurement failed: {sentence(usage.error).toLowerCase()}. The figures are older ones.</p>
                            )}
                            <MeasuredAt value={usage.measured_at} both />
                        </>
                    ) : (
                        <Empty title="Not measured yet" />
                    )}
                </Card>
                <UsageHistory tenant={tenant} />
                <Card title="Newest operation">
                    {operation ? (
                        <>
                            <p className="strong">
                                {nameOf(operation.kind)}, requested at <Time value={operation.created_at} />
                            </p>
                            <LiveOperation id={operation.id} />
                        </>
                    ) : (
                        <Empty title="No operation is recorded" />
                    )}
                </Card>
                {editing && <EditTenant tenant={tenant} etag={etag} onClose={() => setEditing(false)} />}
            </div>
            {tenant.status === "deleted" && <ReceiptCard tenant={tenant} />}
        </>
    );
}
