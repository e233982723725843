import { Link } from "@tanstack/react-router";

import type { ApiRequest } from "../../api/commands";
import { sentence } from "../../format";
import { AsOf } from "../../ui/AsOf";
import { CopyAsCommand } from "../../ui/Copy";
import { Page } from "../../ui/Page";
import { Card } from "../../ui/data";
import { Loaded } from "../../ui/state";
import { HealthStrip, uptimeText } from "../health/HealthStrip";
import { useHistory } from "../health/healthData";
import { Attention } from "./Attention";
import { HealthNow } from "./HealthNow";
import { OperationsNow } from "./OperationsNow";
import { TenantCounts } from "./TenantCounts";
import { Today } from "./Today";
import { OverLimit, TopTenants } from "./TopTenants";
import { type Overview as Figures, useOverview } from "./useOverview";

const REQUESTS: ApiRequest[] = [{ operation: "GET /overview" }, { operation: "GET /health/history", query: { hours: 720 } }];

export function Overview() {
    const read = useOverview();
    return (
        <Page title="Overview" actions={<CopyAsCommand request={REQUESTS} />}>
            <Loaded read={read} rows={8}>
                {(overview) => <Now overview={overview} />}
            </Loaded>
            <Strips />
        </Page>
    );
}

function Now({ overview }: { overview: Figures }) {
    const { usage } = overview;
    return (
        <>
            <div className="grid overview quad">
                <HealthNow health={overview.health} />
                <TenantCounts tenants={overview.tenants} />
                <OperationsNow operations={overview.operations} provisionings={overview.provisionings} />
                <Attention outbox={overview.outbox} dead_letters={overview.dead_letters} usage={usage} />
            </div>
            <div className="grid overview quad">
                <TopTenants title="Most messages this month" tenants={usage.most_messages} sort="-messages_month" what="Messages" measuredAt={usage.measured_at} />
                <TopTenants title="Most storage" tenants={usage.most_storage} sort="-storage_bytes" what="Storage" measuredAt={usage.measured_at} />
                <OverLimit usage={usage} />
                <Today actions={overview.actions} />
            </div>
        </>
    );
}

function Strips() {
    const history = useHistory(720);
    return (
        <Card
            title="Health of the last 30 days"
            aside={
                <Link to="/health" search={{ hours: "720" }}>
                    Details
                </Link>
            }
        >
            <Loaded read={history} rows={8}>
                {(data) => (
                    <ul className="list">
                        {data.components
                            .filter(({ samples_total }) => samples_total > 0)
                            .map((component) => (
                                <li key={component.component} className="strip-row">
                                    <span className="strip-name">{sentence(component.component)}</span>
                                    <span className="strip-bar">
                                        <HealthStrip history={data} component={component} />
                                    </span>
                                    <span className="strip-text">{uptimeText(component)}</span>
                                </li>
                            ))}
                    </ul>
                )}
            </Loaded>
            <AsOf reads={[history]} />
        </Card>
    );
}
