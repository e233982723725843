import type { ReactNode } from "react";

import type { Schemas } from "../../api/client";
import { Facts, Id, Time } from "../../ui/data";

const FAULTS: Record<Schemas["Fault"], string> = { unavailable: "A store is unavailable", transient: "Transient" };

export function OperationFacts({ operation }: { operation: Schemas["Operation"] }) {
    const optional: [string, ReactNode][] = [
        ["Reason", operation.reason],
        ["Fault", operation.fault && FAULTS[operation.fault]],
        ["Next attempt", operation.next_attempt_at && <Time value={operation.next_attempt_at} both seconds />],
        ["Gives up at", operation.gives_up_at && <Time value={operation.gives_up_at} both />],
    ];
    return (
        <Facts
            facts={[
                ["Operation", <Id key="id" value={operation.id} label="operation's id" />],
                ["Requested by", operation.requested_by],
                ["Created", <Time key="created" value={operation.created_at} both seconds />],
                ["Finished", <Time key="finished" value={operation.finished_at} both seconds />],
                ["Attempts", operation.attempts],
                ...optional.filter(([, value]) => value),
            ]}
        />
    );
}
