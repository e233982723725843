import { now } from "../api/clock";
import { duration } from "../format";
import { Time } from "./data";

interface Props {
    /** A time of the API. Without one, nothing was measured. */
    value: string | null;
    /** The age in milliseconds above which the figures are marked as old. */
    oldAfter?: number;
    /** Whether the local time is shown, too. */
    both?: boolean;
}

/** When the figures above were measured. */
export function MeasuredAt({ value, oldAfter, both }: Props) {
    if (value === null) return <p className="muted small">Not measured yet</p>;
    const age = now() - Date.parse(value);
    return (
        <p className="muted small">
            Measured at <Time value={value} both={both} seconds={!both} />
            {oldAfter !== undefined && age > oldAfter && <span className="field-error">, old: {duration(age)} ago</span>}
        </p>
    );
}
