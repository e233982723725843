import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { type Schemas, api, body, tagged } from "../../api/client";
import { duration, sentence } from "../../format";
import { Act } from "../../ui/Act";
import { Badge, Facts, Id, Time } from "../../ui/data";
import { Loaded } from "../../ui/state";

type Operation = Schemas["Operation"];

export const isOver = ({ status }: Operation): boolean => status === "succeeded" || status === "failed";

export function useOperation(id: string) {
    const queries = useQueryClient();
    const read = useQuery({
        queryKey: ["operation", id],
        queryFn: ({ signal }) => tagged(api.GET("/api/super-admin/operations/{id}", { params: { path: { id } }, signal })),
        refetchInterval: (state) => (state.state.data && isOver(state.state.data.data) ? 15_000 : 1_000),
    });
    const operation = read.data?.data;
    const over = operation && isOver(operation);
    // What the operation changes is shown elsewhere, too.
    useEffect(() => {
        if (over) void Promise.all(["tenant", "tenants", "operations"].map((name) => queries.invalidateQueries({ queryKey: [name] })));
    }, [over, queries]);
    return read;
}

/** An operation, followed until its end. */
export function LiveOperation({ id }: { id: string }) {
    const read = useOperation(id);
    return (
        <Loaded read={read}>
            {({ data }) => (
                <div className="operation">
                    <p role="status">
                        <Badge value={data.status} /> <span>{STATES[data.status]}</span>
                    </p>
                    <Steps operation={data} />
                </div>
            )}
        </Loaded>
    );
}

export const STATES: Record<Operation["status"], string> = {
    pending: "It waits for a worker.",
    running: "A worker executes its steps.",
    undoing: "Its steps are being undone; nothing will be left behind.",
    succeeded: "All steps succeeded.",
    failed: "It has failed, and nothing is left behind.",
};

export function Steps({ operation }: { operation: Operation }) {
    return (
        <ol className="steps" aria-label="Steps">
            {operation.steps.map((step) => (
                <li key={step.name} className="step">
                    <span className={`dot dot-${step.status}`} aria-hidden="true" />
                    <span>
                        {sentence(step.name)} <span className="muted">{sentence(step.status).toLowerCase()}</span>
                    </span>
                    <span className="muted small">{step.started_at && step.finished_at ? duration(Date.parse(step.finished_at) - Date.parse(step.started_at)) : ""}</span>
                    {(step.attempts > 1 || step.error) && (
                        <span className="step-detail small">
                            {step.attempts > 1 && <span>{step.attempts} attempts. </span>}
                            {step.error && <span className="field-error">{step.error}</span>}
                        </span>
                    )}
                </li>
            ))}
        </ol>
    );
}

export function OperationFacts({ operation }: { operation: Operation }) {
    return (
        <Facts
            facts={[
                ["Operation", <Id key="id" value={operation.id} label="operation's id" />],
                ["Requested by", operation.requested_by],
                ["Created", <Time key="created" value={operation.created_at} both seconds />],
                ["Finished", <Time key="finished" value={operation.finished_at} both seconds />],
                ["Attempts", operation.attempts],
                ...(operation.reason ? [["Reason", operation.reason] as [string, string]] : []),
                ...(operation.fault ? [["Fault", operation.fault === "unavailable" ? "A store is unavailable" : "Transient"] as [string, string]] : []),
                ...(operation.next_attempt_at ? [["Next attempt", <Time key="next" value={operation.next_attempt_at} both seconds />] as [string, React.ReactNode]] : []),
                ...(operation.gives_up_at ? [["Gives up at", <Time key="up" value={operation.gives_up_at} both />] as [string, React.ReactNode]] : []),
            ]}
        />
    );
}

/** What can be done with an operation that has not ended. */
export function OperationActs({ operation }: { operation: Operation }) {
    const queries = useQueryClient();
    const path = { path: { id: operation.id } };
    const renew = () => Promise.all(["operation", "operations", "tenant"].map((name) => queries.invalidateQueries({ queryKey: [name] })));
    if (isOver(operation)) return null;
    return (
        <>
            <Act
                operation="POST /operations/{id}/retry"
                name="Try now"
                consequences={["The next attempt begins at once, not at its planned time.", "Its steps can run any number of times, so that this is always safe."]}
                request={{ method: "POST", path: `/operations/${operation.id}/retry` }}
                act={async () => {
                    await body(api.POST("/api/super-admin/operations/{id}/retry", { params: path }));
                    await renew();
                }}
                done="The operation is due now"
            />
            <Act
                operation="POST /operations/{id}/abandon"
                name="Abandon"
                title="Abandon the operation"
                kind="danger"
                consequences={["All steps so far are undone; databases that they created are removed.", "The tenant becomes failed, and can be retried later.", "It is recorded in the audit log under your name."]}
                request={{ method: "POST", path: `/operations/${operation.id}/abandon` }}
                act={async () => {
                    await body(api.POST("/api/super-admin/operations/{id}/abandon", { params: path }));
                    await renew();
                }}
                done="The operation is being rolled back"
            />
        </>
    );
}
