import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { api, body } from "../../api/client";
import { AsOf } from "../../ui/AsOf";
import { Badge, Card, Time } from "../../ui/data";
import { Loaded } from "../../ui/state";

export function Newest() {
    const read = useQuery({ queryKey: ["audit", "newest"], queryFn: ({ signal }) => body(api.GET("/api/super-admin/audit", { params: { query: { limit: 8 } }, signal })), refetchInterval: 5_000 });
    return (
        <Card title="Newest entries of the audit log" aside={<Link to="/audit">All entries</Link>}>
            <Loaded read={read}>
                {(entries) => (
                    <ul className="list">
                        {entries.map((entry) => (
                            <li key={entry.id}>
                                <span className="grow">
                                    {entry.action} <span className="muted">by {entry.actor_email ?? entry.actor}</span>
                                </span>
                                <Badge value={entry.outcome} />
                                <Time value={entry.at} />
                            </li>
                        ))}
                    </ul>
                )}
            </Loaded>
            <AsOf reads={[read]} />
        </Card>
    );
}
