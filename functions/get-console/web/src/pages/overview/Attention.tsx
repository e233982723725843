import { useQuery } from "@tanstack/react-query";

import { type Schemas, api, body, page } from "../../api/client";
import { AsOf } from "../../ui/AsOf";
import { Card } from "../../ui/data";
import { type Count, Figure } from "./Figure";

/** The most messages of one queue that the API lists. */
const MAX_LETTERS = 100;
const MAX_LIVE = 100;

/** The messages of all queues. The API lists only the oldest of each. */
function lettersOf(letters: Schemas["DeadLetter"][]): Count {
    const ofQueue = Map.groupBy(letters, ({ queue }) => queue);
    return { value: letters.length, exact: [...ofQueue.values()].every(({ length }) => length < MAX_LETTERS) };
}

export function Attention() {
    const letters = useQuery({ queryKey: ["dead-letters"], queryFn: ({ signal }) => body(api.GET("/api/super-admin/dead-letters", { signal })), select: lettersOf, refetchInterval: 5_000 });
    const live = useQuery({
        queryKey: ["impersonations", "live"],
        queryFn: async ({ signal }): Promise<Count> => {
            const { items, next } = await page(api.GET("/api/super-admin/impersonations", { params: { query: { live: true, limit: MAX_LIVE } }, signal }));
            return { value: items.length, exact: next === undefined };
        },
        refetchInterval: 4_000,
    });
    const over = useQuery({
        queryKey: ["tenants", "over"],
        queryFn: async ({ signal }): Promise<Count> => (await page(api.GET("/api/super-admin/tenants/usage", { params: { query: { over_limit: true, limit: 1, count: true } }, signal }))).total ?? { value: 0, exact: false },
        refetchInterval: 30_000,
    });
    return (
        <Card title="Needs attention">
            <div className="figures">
                <Figure name="dead letters" read={letters} to="/dead-letters" />
                <Figure name="live impersonations" read={live} to="/impersonations" />
                <Figure name="tenants over a limit" read={over} to="/tenants" search={{ over_limit: "true" }} />
            </div>
            <AsOf reads={[letters, live, over]} />
        </Card>
    );
}
