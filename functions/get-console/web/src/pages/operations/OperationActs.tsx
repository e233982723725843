import { type Schemas, api, body } from "../../api/client";
import { useRenew } from "../../api/useRenew";
import { Act } from "../../ui/Act";
import { isAbandonable, isOver, retryText, rollbackText } from "./kinds";

/** What can be done with an operation that has not ended. */
export function OperationActs({ operation }: { operation: Schemas["Operation"] }) {
    const renew = useRenew();
    const params = { path: { id: operation.id } };
    const isOpen = !isOver(operation);
    const renewAll = () => renew("operation", "operations", "tenant", "audit");
    return (
        <>
            <Act
                available={isOpen}
                name="Try now"
                consequences={[retryText(operation.kind), "Its steps can run any number of times, so that this is always safe."]}
                request={{ operation: "POST /operations/{id}/retry", ids: [operation.id] }}
                act={async () => {
                    await body(api.POST("/api/super-admin/operations/{id}/retry", { params }));
                    await renewAll();
                }}
                done="The operation is due now"
            />
            <Act
                available={isAbandonable(operation)}
                name="Abandon"
                title="Abandon the operation"
                kind="danger"
                consequences={[...rollbackText(operation.kind), "It is recorded in the audit log under your name."]}
                request={{ operation: "POST /operations/{id}/abandon", ids: [operation.id] }}
                act={async () => {
                    await body(api.POST("/api/super-admin/operations/{id}/abandon", { params }));
                    await renewAll();
                }}
                done="The operation is being rolled back"
            />
        </>
    );
}
