import { ImpersonationList } from "../impersonations/ImpersonationList";
import { useTenant } from "./Tenant";

export function TenantImpersonations() {
    const { tenant } = useTenant();
    return <ImpersonationList filter={{ tenant_id: tenant.id }} />;
}
