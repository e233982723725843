import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import type { Schemas } from "../../api/client";
import { duration } from "../../format";

/** The slowest response of each sample. */
export function LatencyChart({ samples }: { samples: Schemas["HealthSample"][] }) {
    const place = useRef<HTMLDivElement>(null);
    useEffect(() => {
        const element = place.current;
        if (!element) return;
        const style = getComputedStyle(document.documentElement);
        const color = (name: string) => style.getPropertyValue(name).trim();
        const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
        const chart = new uPlot(
            {
                width: element.clientWidth,
                height: 180,
                legend: { show: false },
                cursor: { show: false },
                axes: [axis, { ...axis, size: 60, values: (_, ticks) => ticks.map((tick) => duration(tick)) }],
                series: [{}, { stroke: color("--accent"), width: 1.5 }],
                tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
            },
            [samples.map((sample) => Date.parse(sample.at) / 1000), samples.map((sample) => sample.latency_ms ?? null)],
            element,
        );
        const resized = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: 180 }));
        resized.observe(element);
        return () => {
            resized.disconnect();
            chart.destroy();
        };
    }, [samples]);
    const slowest = Math.max(...samples.map((sample) => sample.latency_ms ?? 0));
    return (
        <figure className="figure-chart">
            <figcaption className="muted small">Response times (UTC), at most {duration(slowest)}</figcaption>
            <div ref={place} className="chart" role="img" aria-label={`Response times of ${samples.length} samples, at most ${duration(slowest)}`} />
        </figure>
    );
}
