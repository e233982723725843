import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Suspense, lazy, useState } from "react";

import { type Schemas, api, body } from "../../api/client";
import { fromFailure } from "../../api/problem";
import { duration, number, sentence } from "../../format";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { CopyAsCommand } from "../../ui/Copy";
import { Page } from "../../ui/Page";
import { Badge, Card, Time } from "../../ui/data";
import { Select } from "../../ui/form";
import { Empty, Loaded } from "../../ui/state";
import { HealthStrip, uptimeText } from "./HealthStrip";
import { type Reading, type Report, probe, readings, useHealth, useHistory } from "./healthData";

const Latency = lazy(() => import("./LatencyChart").then((module) => ({ default: module.LatencyChart })));

const RANGES: [string, string][] = [["24", "24 hours"], ["168", "7 days"], ["720", "30 days"]];

export function Health() {
    const { component, hours = "24" } = useSearch({ from: "/health" });
    const navigate = useNavigate({ from: "/health" });
    const queries = useQueryClient();
    const report = useHealth();
    const history = useHistory(Number(hours));
    const [probing, setProbing] = useState(false);
    const probeNow = async () => {
        setProbing(true);
        try {
            await probe(queries);
            announce("Every component was probed just now");
        } catch (failure) {
            announce(fromFailure(failure).detail);
        } finally {
            setProbing(false);
        }
    };
    return (
        <Page
            title="Health"
            badge={report.data && <Badge value={report.data.status} />}
            actions={
                <>
                    <CopyAsCommand request={[{ operation: "GET /health", query: { live: "true" } }, { operation: "GET /health/history", query: { hours, component } }]} />
                    <Button busy={probing} onClick={() => void probeNow()}>
                        Probe now
                    </Button>
                </>
            }
        >
            <Loaded read={report}>{(data) => <Now report={data} />}</Loaded>
            <Card title="History" aside={<Select label="Time span" value={hours} options={RANGES} onChange={(event) => void navigate({ search: (before) => ({ ...before, hours: event.target.value === "24" ? undefined : event.target.value }) })} />}>
                <Loaded read={history} rows={8}>
                    {(data) => (
                        <ul className="list">
                            {data.components.map((one) => (
                                <li key={one.component}>
                                    <span className="strip-name">
                                        <button type="button" className="link-button" aria-expanded={component === one.component} onClick={() => void navigate({ search: (before) => ({ ...before, component: component === one.component ? undefined : one.component }) })}>
                                            {sentence(one.component)}
                                        </button>
                                    </span>
                                    <span className="strip-bar">
                                        <HealthStrip history={data} component={one} />
                                    </span>
                                    <span className="strip-text">{uptimeText(one)}</span>
                                    {component === one.component && <Detail component={one} hours={Number(hours)} />}
                                </li>
                            ))}
                        </ul>
                    )}
                </Loaded>
            </Card>
        </Page>
    );
}

function Now({ report }: { report: Report }) {
    const groups: [string, Record<string, Reading>][] = [
        ["Stores and queues", report.infrastructure],
        ["Services", report.services],
        ["Channels", report.integrations],
    ];
    return (
        <>
            <p className="muted">
                Probed at <Time value={report.checked_at} both seconds /> in {duration(report.duration_ms)}
            </p>
            <div className="grid health">
                {groups.map(([title, components]) => (
                    <Card key={title} title={title}>
                        <ul className="list">
                            {readings(components).map(([name, reading]) => (
                                <Component key={name} name={name} reading={reading} />
                            ))}
                            {components === report.infrastructure && <Queues queues={report.infrastructure.sqs.queues} />}
                        </ul>
                    </Card>
                ))}
            </div>
        </>
    );
}

function Component({ name, reading }: { name: string; reading: Reading }) {
    const fault = "reason" in reading ? reading.reason : "error" in reading ? reading.error : undefined;
    return (
        <li>
            <span className="strong">{sentence(name)}</span>
            {"version" in reading && reading.version && <span className="muted small">{reading.version}</span>}
            <span className="push muted small">{"latency_ms" in reading && typeof reading.latency_ms === "number" ? duration(reading.latency_ms) : ""}</span>
            <Badge value={reading.status} />
            {fault && <span className="full small">{fault}</span>}
        </li>
    );
}

function Queues({ queues }: { queues: Report["infrastructure"]["sqs"]["queues"] }) {
    return Object.entries(queues).map(([name, queue]) => {
        const { depth, in_flight, dead_letters } = queue;
        return (
            <li key={name}>
                <span>Queue {name}</span>
                <span className="push muted small">
                    {number(depth)} waiting, {number(in_flight)} being processed
                </span>
                {dead_letters ? <Badge value={`${number(dead_letters)} dead letters`} tone="danger" /> : null}
            </li>
        );
    });
}

function Detail({ component, hours }: { component: Schemas["ComponentHistory"]; hours: number }) {
    const read = useQuery({
        queryKey: ["health", "history", hours, component.component],
        queryFn: ({ signal }) => body(api.GET("/api/super-admin/health/history", { params: { query: { hours, component: component.component } }, signal })),
    });
    return (
        <div className="full">
            <Loaded read={read}>
                {(data) => {
                    const samples = data.components[0]?.samples ?? [];
                    return (
                        <>
                            <Suspense>{samples.some((sample) => sample.latency_ms) && <Latency samples={samples} />}</Suspense>
                            {component.changes.length === 0 ? (
                                <Empty title="Its state did not change" />
                            ) : (
                                <ul className="list">
                                    {component.changes.slice(0, 20).map((change) => (
                                        <li key={change.at}>
                                            <Time value={change.at} both />
                                            <Badge value={change.from} /> to <Badge value={change.to} />
                                            {change.error && <span className="full small">{change.error}</span>}
                                        </li>
                                    ))}
                                </ul>
                            )}
                        </>
                    );
                }}
            </Loaded>
        </div>
    );
}
