import { Link } from "@tanstack/react-router";

import { sentence } from "../../format";
import { Badge, Card, Time } from "../../ui/data";
import { Loaded } from "../../ui/state";
import { type Report, readings, useHealth } from "../health/healthData";

export function HealthNow() {
    const health = useHealth();
    return (
        <Card title="Health now" aside={<Link to="/health">All components</Link>}>
            <Loaded read={health}>{(report) => <State report={report} />}</Loaded>
        </Card>
    );
}

function State({ report }: { report: Report }) {
    const all = [report.infrastructure, report.services, report.integrations].flatMap(readings);
    const configured = all.filter(([, { status }]) => status !== "not_configured");
    const bad = configured.filter(([, { status }]) => status === "down" || status === "degraded");
    return (
        <>
            <p>
                <Badge value={report.status} /> {bad.length === 0 ? "Every component that is configured works." : `${bad.length} of ${configured.length} components have a problem.`}
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
}
