import { useEffect, useState } from "react";

import { now } from "../../api/clock";
import { duration } from "../../format";

/** The time left until a time of the API, by the API's clock. */
export function Countdown({ until, small }: { until: string; small?: boolean }) {
    const [, setTick] = useState(0);
    useEffect(() => {
        const timer = setInterval(() => setTick((tick) => tick + 1), 1000);
        return () => clearInterval(timer);
    }, []);
    const left = Date.parse(until) - now();
    const text = left > 0 ? duration(Math.ceil(left / 1000) * 1000) : "expired";
    return small ? (
        <span className="meter-text">{text}</span>
    ) : (
        <p className="countdown" role="timer" aria-label="Time left">
            {text}
        </p>
    );
}
