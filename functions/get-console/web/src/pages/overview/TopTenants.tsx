import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { api, body } from "../../api/client";
import { short } from "../../format";
import { AsOf } from "../../ui/AsOf";
import { Card, Meter, Name } from "../../ui/data";
import { Empty, Loaded } from "../../ui/state";

export function TopTenants() {
    const read = useQuery({
        queryKey: ["tenants", "top"],
        queryFn: ({ signal }) => body(api.GET("/api/super-admin/tenants/usage", { params: { query: { sort: "-messages_month", limit: 5 } }, signal })),
        refetchInterval: 30_000,
    });
    return (
        <Card
            title="Most messages this month"
            aside={
                <Link to="/tenants" search={{ sort: "-messages_month" }}>
                    All by use
                </Link>
            }
        >
            <Loaded read={read}>
                {(tenants) =>
                    tenants.length === 0 ? (
                        <Empty title="No tenant exists yet" />
                    ) : (
                        <ul className="list">
                            {tenants.map((tenant) => (
                                <li key={tenant.id}>
                                    <Link to="/tenants/$id" params={{ id: tenant.id }} className="grow">
                                        <Name>{tenant.name}</Name>
                                    </Link>
                                    <Meter label={`Messages of ${tenant.slug}`} value={tenant.usage.messages_month} limit={tenant.limits.max_messages_month} format={short} />
                                </li>
                            ))}
                        </ul>
                    )
                }
            </Loaded>
            <AsOf reads={[read]} />
        </Card>
    );
}
