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
import { Newest } from "./Newest";
import { OperationsNow } from "./OperationsNow";
import { TenantCounts } from "./TenantCounts";
import { TopTenants } from "./TopTenants";

const REQUESTS: ApiRequest[] = [
    { operation: "GET /health" },
    { operation: "GET /health/history", query: { hours: 720 } },
    { operation: "GET /operations", query: { stuck: true, limit: 1, count: true } },
    { operation: "GET /dead-letters" },
    { operation: "GET /impersonations", query: { live: true, limit: 100 } },
    { operation: "GET /tenants/usage", query: { over_limit: true, limit: 1, count: true } },
    { operation: "GET /tenants/usage", query: { sort: "-messages_month", limit: 5 } },
    { operation: "GET /audit", query: { limit: 8 } },
];

export function Overview() {
    return (
        <Page title="Overview" actions={<CopyAsCommand request={REQUESTS} />}>
            <div className="grid overview quad">
                <HealthNow />
                <TenantCounts />
                <OperationsNow />
                <Attention />
            </div>
            <div className="grid overview">
                <Strips />
                <TopTenants />
                <Newest />
            </div>
        </Page>
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
