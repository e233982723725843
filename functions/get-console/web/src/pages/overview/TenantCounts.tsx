import { Link } from "@tanstack/react-router";

import { number } from "../../format";
import { MeasuredAt } from "../../ui/MeasuredAt";
import { Card } from "../../ui/data";
import { Figure } from "./Figure";
import type { Overview } from "./useOverview";

const STATUSES = ["active", "provisioning", "suspended", "failed", "deleting"] as const;

export function TenantCounts({ tenants: { by_status, measured_at } }: { tenants: Overview["tenants"] }) {
    return (
        <Card title="Tenants" aside={<Link to="/tenants">All tenants</Link>}>
            <div className="figures">
                {STATUSES.map((status) => (
                    <Figure key={status} name={status} value={by_status[status]} to="/tenants" search={{ status }} />
                ))}
            </div>
            <p className="muted small">
                {number(by_status.total)} in total, {number(by_status.deleted)} of them deleted
            </p>
            <MeasuredAt value={measured_at} />
        </Card>
    );
}
