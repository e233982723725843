import { useNavigate, useSearch } from "@tanstack/react-router";

import { AuditLog } from "../AuditLog";
import { useTenant } from "./Tenant";

export function TenantAudit() {
    const { tenant } = useTenant();
    const filter = useSearch({ from: "/tenants/$id/audit" });
    const navigate = useNavigate({ from: "/tenants/$id/audit" });
    return <AuditLog filter={{ ...filter, tenant_id: tenant.id }} set={(change) => void navigate({ search: (before) => ({ ...before, ...change }) })} />;
}
