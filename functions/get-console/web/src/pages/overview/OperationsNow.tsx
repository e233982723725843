import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { api, body, page } from "../../api/client";
import { now } from "../../api/clock";
import type { paths } from "../../api/generated/schema";
import { duration, midnight } from "../../format";
import { AsOf } from "../../ui/AsOf";
import { Card } from "../../ui/data";
import { Stale } from "../../ui/state";
import { OPEN } from "../operations/open";
import { Figure } from "./Figure";

type Query = NonNullable<paths["/api/super-admin/operations"]["get"]["parameters"]["query"]>;

const useCount = (name: string, query: () => Query) =>
    useQuery({
        queryKey: ["operations", "count", name],
        queryFn: async ({ signal }) => {
            const { total } = await page(api.GET("/api/super-admin/operations", { params: { query: { ...query(), limit: 1, count: true } }, signal }));
            return total ?? { value: 0, exact: false };
        },
        refetchInterval: 5_000,
    });

/** The current day in UTC, which begins anew while the page is open. */
const today = () => new Date(now()).toISOString().slice(0, 10);

export function OperationsNow() {
    const open = useCount("open", () => ({ status: OPEN }));
    const stuck = useCount("stuck", () => ({ stuck: true }));
    const failed = useCount("failed", () => ({ status: ["failed"], created_since: midnight(today()) }));
    const succeeded = useCount("succeeded", () => ({ status: ["succeeded"], created_since: midnight(today()) }));
    const since = today();
    return (
        <Card title="Operations" aside={<Link to="/operations">All operations</Link>}>
            <div className="figures">
                <Figure name="not ended" read={open} to="/operations" search={{ status: "open" }} />
                <Figure name="stuck" read={stuck} to="/operations" search={{ stuck: "true" }} />
                <Figure name="failed, created today" read={failed} to="/operations" search={{ status: "failed", since }} />
                <Figure name="succeeded, created today" read={succeeded} to="/operations" search={{ status: "succeeded", since }} />
            </div>
            <Provisioning />
            <AsOf reads={[open, stuck, failed, succeeded]} />
        </Card>
    );
}

/** How long the newest provisionings took, from their request to their end. */
function Provisioning() {
    const read = useQuery({
        queryKey: ["operations", "provisioning"],
        queryFn: ({ signal }) => body(api.GET("/api/super-admin/operations", { params: { query: { kind: "provision", status: ["succeeded"], limit: 100 } }, signal })),
        refetchInterval: 15_000,
    });
    const times = (read.data ?? []).flatMap(({ created_at, finished_at }) => (finished_at ? [Date.parse(finished_at) - Date.parse(created_at)] : [])).toSorted((a, b) => a - b);
    const [middle, late] = [times[Math.floor(times.length / 2)], times[Math.floor(times.length * 0.95)]];
    if (read.error && !read.data) return <p className="field-error">The durations of provisionings could not be read.</p>;
    if (middle === undefined || late === undefined) return null;
    return (
        <>
            <Stale read={read} />
            <p className="muted small">
                Of the newest {times.length} provisionings that succeeded, half took at most {duration(middle)}, and 95 % at most {duration(late)}.
            </p>
        </>
    );
}
