import type { Schemas } from "../../api/client";
import { duration } from "../../format";
import { MeasuredAt } from "../../ui/MeasuredAt";
import { Card, Time } from "../../ui/data";
import { Figure } from "./Figure";
import type { Overview } from "./useOverview";

const UNKNOWN: Record<Schemas["UnknownDeadLetters"], string> = {
    redis_unavailable: "unknown: Redis does not answer",
    no_report: "unknown: no new report on health",
    sqs_unavailable: "unknown: SQS did not answer",
};

export function Attention({ outbox, dead_letters, usage }: Pick<Overview, "outbox" | "dead_letters" | "usage">) {
    return (
        <Card title="Needs attention">
            <div className="figures">
                <Figure name="dead letters" value={dead_letters.number} unknown={dead_letters.unknown ? UNKNOWN[dead_letters.unknown] : undefined} to="/dead-letters" />
                <Figure name="pending messages" value={outbox.pending} isAtLeast={!outbox.is_exact} />
                <Figure name="tenants over a limit" value={usage.over_limit} to="/tenants" search={{ over_limit: "true" }} />
            </div>
            {outbox.oldest_age_seconds !== null && <p className="muted small">The oldest pending message waits for {duration(outbox.oldest_age_seconds * 1000)}.</p>}
            <p className="muted small">
                Dead letters {dead_letters.measured_at === null ? "were not counted" : <>as of <Time value={dead_letters.measured_at} seconds /></>}.
            </p>
            <MeasuredAt value={outbox.measured_at} />
        </Card>
    );
}
