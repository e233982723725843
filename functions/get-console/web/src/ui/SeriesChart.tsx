import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

const HEIGHT = 180;

interface Props {
    /** Milliseconds since 1970, ascending. */
    times: number[];
    /** One for each time; `null` leaves a gap. */
    values: (number | null)[];
    format: (value: number) => string;
    caption: string;
    /** The whole chart in words. */
    label: string;
    /** A level that is drawn across, such as a limit. */
    level?: number;
}

/** Values over time (UTC). The module contains a library, so that pages load it lazily. */
export function SeriesChart({ times, values, format, caption, label, level }: Props) {
    const place = useRef<HTMLDivElement>(null);
    const latest = useRef(format);
    latest.current = format;
    useEffect(() => {
        const element = place.current;
        if (!element) return;
        const style = getComputedStyle(document.documentElement);
        const color = (name: string) => style.getPropertyValue(name).trim();
        const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
        const levels = level === undefined ? [] : [times.map(() => level)];
        const chart = new uPlot(
            {
                width: element.clientWidth,
                height: HEIGHT,
                legend: { show: false },
                cursor: { show: false },
                axes: [axis, { ...axis, size: 60, values: (_, ticks) => ticks.map((tick) => latest.current(tick)) }],
                // A single value between two gaps would not be seen as a line.
                series: [{}, { stroke: color("--accent"), width: 1.5, points: { show: times.length < 60, size: 4, fill: color("--accent") } }, ...levels.map(() => ({ stroke: color("--danger"), width: 1, dash: [6, 4], points: { show: false } }))],
                tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
            },
            [times.map((time) => time / 1000), values, ...levels],
            element,
        );
        const resized = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT }));
        resized.observe(element);
        return () => {
            resized.disconnect();
            chart.destroy();
        };
    }, [times, values, level]);
    return (
        <figure className="figure-chart">
            <figcaption className="muted small">{caption}</figcaption>
            <div ref={place} className="chart" role="img" aria-label={label} />
        </figure>
    );
}
