import { Link, useParams } from "@tanstack/react-router";

import { now } from "../../api/clock";
import { AsOf } from "../../ui/AsOf";
import { CopyAsCommand } from "../../ui/Copy";
import { Page } from "../../ui/Page";
import { Badge, Card } from "../../ui/data";
import { Loading, ProblemNote, Stale } from "../../ui/state";
import { OperationActs } from "./OperationActs";
import { OperationFacts } from "./OperationFacts";
import { explanationOf, nameOf, stateOf } from "./kinds";
import { Steps } from "./Steps";
import { useOperation } from "./useOperation";

export function OperationPage() {
    const { id } = useParams({ from: "/operations/$id" });
    const read = useOperation(id);
    const above = <Link to="/operations">Operations</Link>;
    if (!read.data) {
        return (
            <Page title="Operation" above={above}>
                {read.error ? <ProblemNote problem={read.error} retry={() => void read.refetch()} /> : <Loading rows={8} />}
            </Page>
        );
    }
    const operation = read.data.data;
    return (
        <Page
            title={nameOf(operation.kind)}
            above={above}
            badge={<Badge value={operation.status} />}
            actions={
                <>
                    <CopyAsCommand request={{ operation: "GET /operations/{id}", ids: [id] }} />
                    <Link to="/tenants/$id" params={{ id: operation.tenant_id }} className="button">
                        Open the tenant
                    </Link>
                    <OperationActs operation={operation} />
                </>
            }
        >
            <Stale read={read} />
            <div className="grid">
                <Card title="Steps">
                    <p className="muted">{explanationOf(operation.kind)}</p>
                    <p role="status">{stateOf(operation, now())}</p>
                    <Steps operation={operation} />
                </Card>
                <Card title="Facts">
                    <OperationFacts operation={operation} />
                    <AsOf reads={[read]} />
                </Card>
            </div>
        </Page>
    );
}
