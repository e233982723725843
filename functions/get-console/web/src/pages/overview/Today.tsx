import { Link } from "@tanstack/react-router";

import { countText } from "../../format";
import { MeasuredAt } from "../../ui/MeasuredAt";
import { Card } from "../../ui/data";
import { Empty } from "../../ui/state";
import type { Overview } from "./useOverview";

/** What super-admins and the platform did today. */
export function Today({ actions: { by_action, since, measured_at } }: { actions: Overview["actions"] }) {
    const day = since.slice(0, 10);
    return (
        <Card
            title="Done today (UTC)"
            aside={
                <Link to="/audit" search={{ since: day }}>
                    All entries
                </Link>
            }
        >
            {by_action.length === 0 ? (
                <Empty title="Nothing is recorded today" />
            ) : (
                <ul className="list">
                    {by_action.map((count) => (
                        <li key={count.action}>
                            <Link to="/audit" search={{ action: count.action, since: day }} className="grow">
                                {count.action}
                            </Link>
                            <span className="small">
                                {countText({ value: count.done, exact: count.is_exact })} done
                                {count.failed > 0 && `, ${countText({ value: count.failed, exact: count.is_exact })} failed`}
                                {count.refused > 0 && `, ${countText({ value: count.refused, exact: count.is_exact })} refused`}
                            </span>
                        </li>
                    ))}
                </ul>
            )}
            <MeasuredAt value={measured_at} />
        </Card>
    );
}
