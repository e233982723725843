import { Link } from "@tanstack/react-router";

import { sentence } from "../../format";
import { MeasuredAt } from "../../ui/MeasuredAt";
import { Badge, Card, Time } from "../../ui/data";
import { Empty } from "../../ui/state";
import type { Overview } from "./useOverview";

/** A sample is taken each minute. */
const OLD_AFTER = 5 * 60_000;

export function HealthNow({ health }: { health: Overview["health"] }) {
    const system = health.components.find(({ component }) => component === "system");
    const others = health.components.filter(({ component }) => component !== "system");
    const bad = others.filter(({ status }) => status !== "up");
    return (
        <Card title="Health now" aside={<Link to="/health">All components</Link>}>
            {health.components.length === 0 ? (
                <Empty title="No component was measured yet" />
            ) : (
                <>
                    <p>
                        {system && <Badge value={system.status} />} {bad.length === 0 ? "Every component that is monitored works." : `${bad.length} of ${others.length} components have a problem.`}
                    </p>
                    {bad.length > 0 && (
                        <ul className="list">
                            {bad.map(({ component, status, since }) => (
                                <li key={component}>
                                    <span className="strong">{sentence(component)}</span> <Badge value={status} />
                                    <span className="push muted small">
                                        since <Time value={since} />
                                    </span>
                                </li>
                            ))}
                        </ul>
                    )}
                </>
            )}
            <MeasuredAt value={health.measured_at} oldAfter={OLD_AFTER} />
        </Card>
    );
}
