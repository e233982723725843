import { useMemo } from "react";

import type { Schemas } from "../../api/client";
import { duration } from "../../format";
import { SeriesChart } from "../../ui/SeriesChart";

/** The slowest response of each sample. */
export function LatencyChart({ samples }: { samples: Schemas["HealthSample"][] }) {
    const times = useMemo(() => samples.map((sample) => Date.parse(sample.at)), [samples]);
    const values = useMemo(() => samples.map((sample) => sample.latency_ms ?? null), [samples]);
    const slowest = duration(Math.max(...values.map((value) => value ?? 0)));
    return <SeriesChart times={times} values={values} format={duration} caption={`Response times (UTC), at most ${slowest}`} label={`Response times of ${samples.length} samples, at most ${slowest}`} />;
}
