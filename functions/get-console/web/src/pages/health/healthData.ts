import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";

import { type Schemas, type Tagged, api, body, ifChanged, tagged } from "../../api/client";
import { Problem } from "../../api/problem";

export type Report = Schemas["HealthReport"];
export type History = Schemas["HealthHistory"];

const isReport = (value: unknown): value is Report => typeof value === "object" && value !== null && "infrastructure" in value;

/** The newest report, or the one before if no newer exists. An unhealthy platform answers 503 with a report, which is no failure of the request. */
async function readHealth(live: boolean, signal: AbortSignal, before?: Tagged<Report>): Promise<Tagged<Report>> {
    let [report, etag]: [unknown, string] = [undefined, ""];
    try {
        const call = api.GET("/api/super-admin/health", { params: { query: live ? { live } : {}, header: ifChanged(before) }, signal });
        ({ data: report, etag } = await tagged<unknown>(call, before));
    } catch (failure) {
        if (!(failure instanceof Problem) || failure.status !== 503 || !isReport(failure.details)) throw failure;
        report = failure.details;
    }
    if (!isReport(report)) throw new Problem(403, "No report", "The API answered with the short form of health only");
    return { data: report, etag };
}

export type Reading = Schemas["Reading"] | Schemas["ServiceReading"] | Schemas["IntegrationReading"];

/** The components of a part of the report. */
export const readings = (components: Record<string, Reading>): [string, Reading][] => Object.entries(components);

const KEY = ["health"];

export function useHealth() {
    const queries = useQueryClient();
    return useQuery({ queryKey: KEY, queryFn: ({ signal }) => readHealth(false, signal, queries.getQueryData(KEY)), select: ({ data }) => data, refetchInterval: 5_000 });
}

/** Probes every component, and shows the report. */
export const probe = async (queries: QueryClient) => queries.setQueryData(KEY, await readHealth(true, AbortSignal.timeout(15_000)));

export const useHistory = (hours: number) =>
    useQuery({
        queryKey: ["health", "history", hours],
        queryFn: ({ signal }) => body(api.GET("/api/super-admin/health/history", { params: { query: { hours } }, signal })),
        refetchInterval: 60_000,
    });

interface Segment {
    from: number;
    to: number;
    condition: Schemas["Condition"] | "none";
}

/** The states of a component over time, from its changes, which are newest first. */
export function segments(history: History, component: Schemas["ComponentHistory"]): Segment[] {
    const [start, end] = [Date.parse(history.from), Date.parse(history.to)];
    const found: Segment[] = [];
    let to = end;
    for (const change of component.changes) {
        const at = Math.max(Date.parse(change.at), start);
        found.push({ from: at, to, condition: change.to });
        to = at;
    }
    const first = component.changes.at(-1)?.from ?? component.state ?? "none";
    // Without a change, the state began with the first sample. One is taken each minute.
    const sampled = end - component.samples_total * 60_000;
    const since = component.changes.length === 0 && component.since ? Math.max(Math.min(Date.parse(component.since), sampled), start) : start;
    found.push({ from: since, to, condition: component.samples_total === 0 ? "none" : first });
    if (since > start) found.push({ from: start, to: since, condition: "none" });
    return found.toReversed();
}
