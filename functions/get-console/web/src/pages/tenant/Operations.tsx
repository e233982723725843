import { api, page } from "../../api/client";
import { now } from "../../api/clock";
import { useList } from "../../api/lists";
import { Button } from "../../ui/Button";
import { CopyAsCommand } from "../../ui/Copy";
import { ListState } from "../../ui/ListTable";
import { Badge, Card, Time } from "../../ui/data";
import { Empty } from "../../ui/state";
import { OperationActs } from "../operations/OperationActs";
import { OperationFacts } from "../operations/OperationFacts";
import { explanationOf, nameOf, stateOf } from "../operations/kinds";
import { Steps } from "../operations/Steps";
import { useTenant } from "./Tenant";

export function TenantOperations() {
    const { tenant } = useTenant();
    const list = useList(["operations", "of", tenant.id], (cursor, signal) => page(api.GET("/api/super-admin/tenants/{id}/operations", { params: { path: { id: tenant.id }, query: { limit: 20, cursor } }, signal })), { every: 2_000 });
    return (
        <>
            <div className="actions">
                <CopyAsCommand request={{ operation: "GET /tenants/{id}/operations", ids: [tenant.id] }} />
            </div>
            <ListState list={list} empty={<Empty title="No operation is recorded" />}>
                {list.items.map((operation) => (
                    <Card
                        key={operation.id}
                        title={nameOf(operation.kind)}
                        aside={
                            <span className="actions">
                                <Time value={operation.created_at} seconds />
                                <Badge value={operation.status} />
                                <OperationActs operation={operation} />
                            </span>
                        }
                    >
                        <p>
                            {stateOf(operation, now())} <span className="muted">{explanationOf(operation.kind)}</span>
                        </p>
                        <div className="grid">
                            <Steps operation={operation} />
                            <OperationFacts operation={operation} />
                        </div>
                    </Card>
                ))}
                {list.more && (
                    <Button busy={list.loading} onClick={list.loadMore}>
                        Older operations
                    </Button>
                )}
            </ListState>
        </>
    );
}
