import { Link } from "@tanstack/react-router";

import { bytes, sentence, short } from "../../format";
import { MeasuredAt } from "../../ui/MeasuredAt";
import { Badge, Card, Meter, Name, Time } from "../../ui/data";
import { Empty } from "../../ui/state";
import type { Overview } from "./useOverview";

type Usage = Overview["usage"];

interface Props {
    title: string;
    tenants: Usage["most_messages"];
    sort: "-messages_month" | "-storage_bytes";
    what: string;
    measuredAt: string;
}

const FORMATS = { "-messages_month": short, "-storage_bytes": bytes };

/** The tenants that use most. */
export function TopTenants({ title, tenants, sort, what, measuredAt }: Props) {
    return (
        <Card
            title={title}
            aside={
                <Link to="/tenants" search={{ sort }}>
                    All by use
                </Link>
            }
        >
            {tenants.length === 0 ? (
                <Empty title="No tenant was measured yet" />
            ) : (
                <ul className="list">
                    {tenants.map((tenant) => (
                        <li key={tenant.tenant_id}>
                            <TenantLink id={tenant.tenant_id} name={tenant.name} />
                            <Meter label={`${what} of ${tenant.slug}`} value={tenant.value} limit={tenant.limit} format={FORMATS[sort]} />
                            <Measurement at={tenant.measured_at} />
                        </li>
                    ))}
                </ul>
            )}
            <MeasuredAt value={measuredAt} />
        </Card>
    );
}

/** The tenants that have exceeded a limit most recently. */
export function OverLimit({ usage }: { usage: Usage }) {
    return (
        <Card
            title="Newest over a limit"
            aside={
                <Link to="/tenants" search={{ over_limit: "true" }}>
                    All over a limit
                </Link>
            }
        >
            {usage.newest_over_limit.length === 0 ? (
                <Empty title="No tenant exceeds a limit" />
            ) : (
                <ul className="list">
                    {usage.newest_over_limit.map(({ tenant_id, name, figures, since, measured_at }) => (
                        <li key={tenant_id}>
                            <TenantLink id={tenant_id} name={name} />
                            {figures.map((figure) => (
                                <Badge key={figure} value={sentence(figure)} tone="danger" />
                            ))}
                            <span className="muted small">
                                since <Time value={since} />
                            </span>
                            <Measurement at={measured_at} />
                        </li>
                    ))}
                </ul>
            )}
            <MeasuredAt value={usage.measured_at} />
        </Card>
    );
}

/** Each tenant is measured at a time of its own. */
function Measurement({ at }: { at: string | null }) {
    return <span className="full muted small">{at === null ? "only messages were counted so far" : <>measured at <Time value={at} /></>}</span>;
}

function TenantLink({ id, name }: { id: string; name: string }) {
    return (
        <Link to="/tenants/$id" params={{ id }} className="grow">
            <Name>{name}</Name>
        </Link>
    );
}
