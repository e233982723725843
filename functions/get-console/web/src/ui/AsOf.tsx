import { clockOffset } from "../api/clock";
import { Time } from "./data";

/** When the oldest of several answers was read, by the clock of the API. */
export function AsOf({ reads }: { reads: { dataUpdatedAt: number }[] }) {
    const times = reads.map(({ dataUpdatedAt }) => dataUpdatedAt).filter((at) => at > 0);
    if (times.length === 0) return null;
    return (
        <p className="muted small">
            As of <Time value={new Date(Math.min(...times) + clockOffset()).toISOString()} seconds />
        </p>
    );
}
