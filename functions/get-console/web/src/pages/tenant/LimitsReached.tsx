import type { Schemas } from "../../api/client";
import { sentence } from "../../format";
import { Badge, Time } from "../../ui/data";
import { servicesText } from "./services";

/** The limits that a tenant has reached, and which services act on them. */
export function LimitsReached({ limits }: { limits: Schemas["ReachedLimit"][] }) {
    if (limits.length === 0) return null;
    return (
        <ul className="list" aria-label="Limits reached">
            {limits.map(({ id, figure, reached_at, acknowledged_by, pending }) => (
                <li key={id}>
                    <span className="strong">{sentence(figure)}</span>
                    <span className="muted small">
                        reached at <Time value={reached_at} />
                    </span>
                    <span className="push">{pending.length > 0 ? <Badge value="not confirmed by all services" tone="warn" /> : <Badge value="confirmed by all services" tone="ok" />}</span>
                    <span className="full small">
                        Confirmed by {servicesText(acknowledged_by)}. {pending.length > 0 && <>Not confirmed by {servicesText(pending)}.</>}
                    </span>
                </li>
            ))}
        </ul>
    );
}
