import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Suspense, lazy, useMemo } from "react";

import { type Schemas, api, body } from "../../api/client";
import { now } from "../../api/clock";
import { oneOf } from "../../api/oneOf";
import { bytes, number, precise, sentence, short } from "../../format";
import { AsOf } from "../../ui/AsOf";
import { CopyAsCommand } from "../../ui/Copy";
import { MeasuredAt } from "../../ui/MeasuredAt";
import { Card, Time } from "../../ui/data";
import { Select } from "../../ui/form";
import { Empty, Loaded, Loading } from "../../ui/state";
import { type DailyFigure, FIGURES, dayBefore, seriesOf } from "./usageSeries";

const SeriesChart = lazy(() => import("../../ui/SeriesChart").then((module) => ({ default: module.SeriesChart })));

type History = Schemas["UsageHistory"];

const RANGES = [["30", "30 days"], ["90", "90 days"], ["400", "400 days"]] as const;
const LIMITS = { messages_month: "max_messages_month", agents: "max_agents", contacts: "max_contacts" } as const;
const NAMES: Record<DailyFigure, string> = { messages_month: "Messages this month", agents: "Agents", contacts: "Contacts", storage_bytes: "Storage" };

/** What a tenant used on each day, and when it will reach its limits. */
export function UsageHistory({ tenant: { id, limits } }: { tenant: Pick<Schemas["Organization"], "id" | "limits"> }) {
    const filter = useSearch({ from: "/tenants/$id/" });
    const navigate = useNavigate({ from: "/tenants/$id" });
    const figure = oneOf(FIGURES, filter.figure) ?? "messages_month";
    const days = RANGES.find(([value]) => value === filter.days)?.[0] ?? "30";
    const set = (change: Partial<typeof filter>) => void navigate({ search: (before) => ({ ...before, ...change }), replace: true, resetScroll: false });
    const since = dayBefore(now(), Number(days) - 1);
    const read = useQuery({
        queryKey: ["tenant", "usage-history", id, since],
        queryFn: ({ signal }) => body(api.GET("/api/super-admin/tenants/{id}/usage/history", { params: { path: { id }, query: { since } }, signal })),
        refetchInterval: 60_000,
    });
    return (
        <Card title="Usage over time" aside={<CopyAsCommand request={{ operation: "GET /tenants/{id}/usage/history", ids: [id], query: { since } }} />}>
            <div className="form-row">
                <Select label="Figure" value={figure} options={FIGURES.map((name) => [name, NAMES[name]] as const)} onChange={(event) => set({ figure: event.target.value })} />
                <Select label="Time span" value={days} options={RANGES} onChange={(event) => set({ days: event.target.value })} />
            </div>
            <Loaded read={read}>
                {(history) => (
                    <>
                        <Series history={history} figure={figure} limit={figure === "storage_bytes" ? null : limits[LIMITS[figure]]} />
                        <Forecast forecast={history.forecast} />
                        <MeasuredAt value={history.days.at(-1)?.measured_at ?? null} />
                    </>
                )}
            </Loaded>
            <AsOf reads={[read]} />
        </Card>
    );
}

function Series({ history, figure, limit }: { history: History; figure: DailyFigure; limit: number | null }) {
    const { times, values } = useMemo(() => seriesOf(history, figure), [history, figure]);
    const format = figure === "storage_bytes" ? bytes : number;
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return <Empty title={`${NAMES[figure]}: no day of this time span was measured`} />;
    const range = `${format(Math.min(...known))} to ${format(Math.max(...known))}`;
    return (
        <>
            <Suspense fallback={<Loading rows={6} />}>
                <SeriesChart
                    times={times}
                    values={values}
                    format={figure === "storage_bytes" ? bytes : short}
                    level={limit ?? undefined}
                    caption={`${NAMES[figure]} by day (UTC), ${range}${limit === null ? "" : `; the dashed line is the limit, ${number(limit)}`}`}
                    label={`${NAMES[figure]} from ${history.since} to ${history.until}: ${known.length} measured days, ${range}`}
                />
            </Suspense>
            <details>
                <summary>As a table</summary>
                <div className="days" role="region" aria-label="Days" tabIndex={0}>
                    <table className="difference">
                        <thead>
                            <tr>
                                <th scope="col">Day (UTC)</th>
                                <th scope="col">{NAMES[figure]}</th>
                                <th scope="col">Measured at</th>
                            </tr>
                        </thead>
                        <tbody>
                            {history.days.toReversed().map((day) => (
                                <tr key={day.day}>
                                    <th scope="row">{day.day}</th>
                                    <td>{day[figure] === null ? <span className="muted">not measured</span> : format(day[figure])}</td>
                                    <td>
                                        <Time value={day.measured_at} />
                                    </td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            </details>
        </>
    );
}

/** A straight line through the last 30 days, whatever the time span above. */
function Forecast({ forecast }: { forecast: History["forecast"] }) {
    const known = (["agents", "contacts", "messages_month"] as const).flatMap((figure) => (forecast[figure] ? [[figure, forecast[figure]] as const] : []));
    if (known.length === 0) return <p className="muted">No forecast: no figure has both a limit and three measured days.</p>;
    return (
        <table className="difference">
            <caption className="hidden">Forecast</caption>
            <thead>
                <tr>
                    <th scope="col">Figure</th>
                    <th scope="col">Growth a day</th>
                    <th scope="col">Limit reached</th>
                </tr>
            </thead>
            <tbody>
                {known.map(([figure, { value, limit, per_day, days, reached_on }]) => (
                    <tr key={figure}>
                        <th scope="row">
                            {sentence(figure)} <span className="muted small">{`${number(value)} of ${number(limit)}`}</span>
                        </th>
                        <td>
                            {`${per_day > 0 ? "+" : ""}${precise(per_day)}`} <span className="muted small">from {days} days</span>
                        </td>
                        <td>{value >= limit ? "reached" : (reached_on ?? <span className="muted">{figure === "messages_month" ? "neither in this month nor in the next" : "not within ten years"}</span>)}</td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}
