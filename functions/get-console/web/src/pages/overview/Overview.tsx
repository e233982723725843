import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { type Schemas, api, body, page } from "../../api/client";
import { duration, number, sentence, short } from "../../format";
import { CopyAsCurl } from "../../ui/Copy";
import { Page } from "../../ui/Page";
import { Badge, Card, Meter, Name, Time } from "../../ui/data";
import { Empty, Loaded } from "../../ui/state";
import { HealthStrip, uptimeText } from "../health/HealthStrip";
import { useHealth, useHistory } from "../health/healthData";

const STATUSES = ["active", "provisioning", "suspended", "failed", "deleting"] as const;

export function Overview() {
    const health = useHealth();
    const history = useHistory(720);
    return (
        <Page
            title="Overview"
            actions={
                <CopyAsCurl
                    request={[
                        { path: "/health" },
                        { path: "/health/history", query: { hours: 720 } },
                        { path: "/operations", query: { stuck: true, count: true } },
                        { path: "/tenants/usage", query: { sort: "-messages_month", limit: 5 } },
                        { path: "/audit", query: { limit: 8 } },
                    ]}
                />
            }
        >
            <div className="grid overview quad">
                <Card title="Health now" aside={<Link to="/health">All components</Link>}>
                    <Loaded read={health}>
                        {(report) => {
                            const all = Object.entries({ ...report.infrastructure, ...report.services, ...report.integrations });
                            const bad = all.filter(([, { status }]) => status === "down" || status === "degraded");
                            return (
                                <>
                                    <p>
                                        <Badge value={report.status} /> {bad.length === 0 ? "Every component that is configured works." : `${bad.length} of ${all.length} components have a problem.`}
                                    </p>
                                    {bad.length > 0 && (
                                        <ul className="list">
                                            {bad.map(([name, { status }]) => (
                                                <li key={name}>
                                                    <span className="strong">{sentence(name)}</span> <Badge value={status} />
                                                </li>
                                            ))}
                                        </ul>
                                    )}
                                    <p className="muted small">
                                        As of <Time value={report.checked_at} seconds />
                                    </p>
                                </>
                            );
                        }}
                    </Loaded>
                </Card>
                <Card title="Tenants" aside={<Link to="/tenants">All tenants</Link>}>
                    <Loaded read={health}>
                        {(report) =>
                            report.tenants ? (
                                <>
                                    <div className="figures">
                                        {STATUSES.map((status) => (
                                            <Link key={status} to="/tenants" search={{ status }} className="figure">
                                                <span className="figure-value">{number(report.tenants?.[status] ?? 0)}</span>
                                                <span className="figure-name">{status}</span>
                                            </Link>
                                        ))}
                                    </div>
                                    <p className="muted small">
                                        {number(report.tenants.total)} in total, as of <Time value={report.checked_at} seconds />
                                    </p>
                                </>
                            ) : (
                                <Empty title="The platform database does not answer" />
                            )
                        }
                    </Loaded>
                </Card>
                <OperationsNow />
                <Signals />
            </div>
            <div className="grid overview">
                <Card title="Health of 30 days" aside={<Link to="/health" search={{ hours: "720" }}>Details</Link>}>
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
                </Card>
                <TopTenants />
                <Newest />
            </div>
        </Page>
    );
}

type OperationQuery = { status?: Schemas["OperationStatus"][]; stuck?: boolean; created_since?: string };

const useCount = (name: string, query: OperationQuery) =>
    useQuery({
        queryKey: ["operations", "count", name],
        queryFn: async ({ signal }) => {
            const { total } = await page(api.GET("/api/super-admin/operations", { params: { query: { ...query, limit: 1, count: true } }, signal }));
            return total ?? { value: 0, exact: true };
        },
        refetchInterval: 5_000,
    });

const today = () => `${new Date().toISOString().slice(0, 10)}T00:00:00Z`;

function OperationsNow() {
    const open = useCount("open", { status: ["pending", "running", "undoing"] });
    const stuck = useCount("stuck", { stuck: true });
    const failed = useCount("failed", { status: ["failed"], created_since: today() });
    const succeeded = useCount("succeeded", { status: ["succeeded"], created_since: today() });
    const figures = [
        ["running", open, {}],
        ["stuck", stuck, { stuck: "true" }],
        ["failed today", failed, { status: "failed" }],
        ["succeeded today", succeeded, { status: "succeeded" }],
    ] as const;
    return (
        <Card title="Operations" aside={<Link to="/operations">All operations</Link>}>
            <Loaded read={open} rows={2}>
                {() => (
                    <div className="figures">
                        {figures.map(([name, read, search]) => (
                            <Link key={name} to="/operations" search={search} className="figure">
                                <span className="figure-value">{read.data ? `${number(read.data.value)}${read.data.exact ? "" : "+"}` : "…"}</span>
                                <span className="figure-name">{name}</span>
                            </Link>
                        ))}
                    </div>
                )}
            </Loaded>
            <Provisioning />
        </Card>
    );
}

/** How long the newest provisionings took, from their request to their end. */
function Provisioning() {
    const read = useQuery({
        queryKey: ["operations", "provisioning"],
        queryFn: ({ signal }) => body(api.GET("/api/super-admin/operations", { params: { query: { kind: "provision", status: ["succeeded"], limit: 100 } }, signal })),
        refetchInterval: 15_000,
    });
    const times = (read.data ?? []).flatMap(({ created_at, finished_at }) => (finished_at ? [Date.parse(finished_at) - Date.parse(created_at)] : [])).toSorted((a, b) => a - b);
    if (times.length === 0) return null;
    const [middle, late] = [times[Math.floor(times.length / 2)] ?? 0, times[Math.floor(times.length * 0.95)] ?? 0];
    return (
        <p className="muted small">
            Of the newest {times.length} provisionings, half took at most {duration(middle)}, and 95 % at most {duration(late)}.
        </p>
    );
}

function Signals() {
    const letters = useQuery({ queryKey: ["dead-letters"], queryFn: ({ signal }) => body(api.GET("/api/super-admin/dead-letters", { signal })), refetchInterval: 5_000 });
    const live = useQuery({ queryKey: ["impersonations", "live"], queryFn: ({ signal }) => body(api.GET("/api/super-admin/impersonations", { params: { query: { live: true, limit: 100 } }, signal })), refetchInterval: 4_000 });
    const over = useQuery({
        queryKey: ["tenants", "over"],
        queryFn: async ({ signal }) => (await page(api.GET("/api/super-admin/tenants/usage", { params: { query: { over_limit: true, limit: 1, count: true } }, signal }))).total ?? { value: 0, exact: true },
        refetchInterval: 30_000,
    });
    return (
        <Card title="Needs a look">
            <Loaded read={letters} rows={2}>
                {(data) => (
                    <div className="figures">
                        <Link to="/dead-letters" className="figure">
                            <span className="figure-value">{number(data.length)}</span>
                            <span className="figure-name">dead letters</span>
                        </Link>
                        <Link to="/impersonations" className="figure">
                            <span className="figure-value">{live.data ? number(live.data.length) : "…"}</span>
                            <span className="figure-name">live impersonations</span>
                        </Link>
                        <Link to="/tenants" search={{ over_limit: "true" }} className="figure">
                            <span className="figure-value">{over.data ? `${number(over.data.value)}${over.data.exact ? "" : "+"}` : "…"}</span>
                            <span className="figure-name">tenants over a limit</span>
                        </Link>
                    </div>
                )}
            </Loaded>
        </Card>
    );
}

function TopTenants() {
    const read = useQuery({
        queryKey: ["tenants", "top"],
        queryFn: ({ signal }) => body(api.GET("/api/super-admin/tenants/usage", { params: { query: { sort: "-messages_month", limit: 5 } }, signal })),
        refetchInterval: 30_000,
    });
    return (
        <Card title="Most messages this month" aside={<Link to="/tenants" search={{ sort: "-messages_month" }}>All by use</Link>}>
            <Loaded read={read}>
                {(tenants) =>
                    tenants.length === 0 ? (
                        <Empty title="No tenant exists yet" />
                    ) : (
                        <ul className="list">
                            {tenants.map((tenant) => (
                                <li key={tenant.id}>
                                    <Link to="/tenants/$id" params={{ id: tenant.id }} className="grow">
                                        <Name>{tenant.name}</Name>
                                    </Link>
                                    <Meter label={`Messages of ${tenant.slug}`} value={tenant.usage.messages_month} limit={tenant.limits.max_messages_month} format={short} />
                                </li>
                            ))}
                        </ul>
                    )
                }
            </Loaded>
        </Card>
    );
}

function Newest() {
    const read = useQuery({ queryKey: ["audit", "newest"], queryFn: ({ signal }) => body(api.GET("/api/super-admin/audit", { params: { query: { limit: 8 } }, signal })), refetchInterval: 5_000 });
    return (
        <Card title="What changed last" aside={<Link to="/audit">Audit</Link>}>
            <Loaded read={read}>
                {(entries) => (
                    <ul className="list">
                        {entries.map((entry) => (
                            <li key={entry.id}>
                                <span className="grow">
                                    {entry.action} <span className="muted">by {entry.actor_email ?? entry.actor}</span>
                                </span>
                                <Badge value={entry.outcome} />
                                <Time value={entry.at} />
                            </li>
                        ))}
                    </ul>
                )}
            </Loaded>
        </Card>
    );
}
