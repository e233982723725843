import { Link } from "@tanstack/react-router";

import { duration, number } from "../../format";
import { MeasuredAt } from "../../ui/MeasuredAt";
import { Card } from "../../ui/data";
import { Figure } from "./Figure";
import type { Overview } from "./useOverview";

/** A filter has whole days. */
const dayOf = (time: string): string => time.slice(0, 10);

export function OperationsNow({ operations, provisionings }: Pick<Overview, "operations" | "provisionings">) {
    return (
        <Card title="Operations" aside={<Link to="/operations">All operations</Link>}>
            <div className="figures">
                <Figure name="not ended" value={operations.open} to="/operations" search={{ status: "open" }} />
                <Figure name="running" value={operations.running} to="/operations" search={{ status: "running" }} />
                <Figure name="stuck" value={operations.stuck} to="/operations" search={{ stuck: "true" }} />
                <Figure name="failed in 24 hours" value={operations.failed} to="/operations" search={{ status: "failed", since: dayOf(operations.since) }} />
            </div>
            <Provisionings provisionings={provisionings} />
            <MeasuredAt value={operations.measured_at} />
        </Card>
    );
}

function Provisionings({ provisionings: { requested, succeeded, failed, median_seconds, p95_seconds } }: Pick<Overview, "provisionings">) {
    if (requested === 0) return <p className="muted small">No tenant was provisioned in the last 24 hours.</p>;
    return (
        <p className="muted small">
            Of {number(requested)} provisionings that were requested in the last 24 hours, {number(succeeded)} succeeded and {number(failed)} failed.
            {median_seconds !== null && p95_seconds !== null && ` Half took at most ${duration(median_seconds * 1000)}, and 95 % at most ${duration(p95_seconds * 1000)}.`}
        </p>
    );
}
