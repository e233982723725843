// The figures of a tenant by day, as a chart shows them.

import type { Schemas } from "../../api/client";

type Day = Schemas["UsageDay"];

/** The figures that are kept for each day. */
export const FIGURES = ["messages_month", "agents", "contacts", "storage_bytes"] as const;
export type DailyFigure = (typeof FIGURES)[number];

const DAY = 86_400_000;

/** The day, such as `2026-11-24`, that begins a number of days before the one that contains a moment. */
export const dayBefore = (at: number, days: number): string => new Date(at - days * DAY).toISOString().slice(0, 10);

/** Each day of a range, measured or not: a day without a measurement is a gap, and not 0. */
export function seriesOf({ since, until, days }: Pick<Schemas["UsageHistory"], "since" | "until" | "days">, figure: DailyFigure): { times: number[]; values: (number | null)[] } {
    const known = new Map<string, Day>(days.map((day) => [day.day, day]));
    const [times, values]: [number[], (number | null)[]] = [[], []];
    for (let time = Date.parse(since); time <= Date.parse(until); time += DAY) {
        times.push(time);
        values.push(known.get(dayBefore(time, 0))?.[figure] ?? null);
    }
    return { times, values };
}
