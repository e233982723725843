import { Link } from "@tanstack/react-router";

import { number } from "../../format";
import { Card, Time } from "../../ui/data";
import { Empty, Loaded } from "../../ui/state";
import { useHealth } from "../health/healthData";
import { Figure } from "./Figure";

const STATUSES = ["active", "provisioning", "suspended", "failed", "deleting"] as const;

export function TenantCounts() {
    const health = useHealth();
    return (
        <Card title="Tenants" aside={<Link to="/tenants">All tenants</Link>}>
            <Loaded read={health}>
                {({ tenants, checked_at }) =>
                    tenants ? (
                        <>
                            <div className="figures">
                                {STATUSES.map((status) => (
                                    <Figure key={status} name={status} read={{ data: { value: tenants[status], exact: true }, error: null }} to="/tenants" search={{ status }} />
                                ))}
                            </div>
                            <p className="muted small">
                                {number(tenants.total)} in total, {number(tenants.deleted)} of them deleted, as of <Time value={checked_at} seconds />
                            </p>
                        </>
                    ) : (
                        <Empty title="The platform database does not answer" />
                    )
                }
            </Loaded>
        </Card>
    );
}
