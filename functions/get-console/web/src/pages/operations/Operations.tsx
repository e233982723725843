import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";

import { type Schemas, api, page } from "../../api/client";
import { values } from "../../api/generated/operations";
import { useList } from "../../api/lists";
import { oneOf } from "../../api/oneOf";
import { duration, midnight, sentence, totalText } from "../../format";
import { CopyAsCommand } from "../../ui/Copy";
import { Filters } from "../../ui/Filters";
import { Page } from "../../ui/Page";
import { ListTable } from "../../ui/ListTable";
import type { Columns } from "../../ui/Table";
import { Badge, Time } from "../../ui/data";
import { Input, Select, anyOf } from "../../ui/form";
import { Empty } from "../../ui/state";
import { nameOf } from "./kinds";
import { OPEN } from "./open";

type Operation = Schemas["Operation"];

export function Operations() {
    const filter = useSearch({ from: "/operations" });
    const navigate = useNavigate({ from: "/operations" });
    const set = (change: Partial<typeof filter>) => void navigate({ search: (before) => ({ ...before, ...change }) });
    const status = oneOf(values.OperationStatus, filter.status);
    const query = {
        status: filter.status === "open" ? OPEN : status && [status],
        kind: oneOf(values.OperationKind, filter.kind),
        stuck: filter.stuck === "true" ? true : undefined,
        created_since: midnight(filter.since),
    };
    const list = useList(["operations", query], (cursor, signal) => page(api.GET("/api/super-admin/operations", { params: { query: { ...query, limit: 100, cursor, count: cursor ? undefined : true } }, signal })), { every: 3_000 });
    const columns = useMemo<Columns<Operation>>(
        () => [
            {
                id: "kind",
                size: 170,
                header: "Operation",
                cell: ({ row: { original } }) => (
                    <Link to="/operations/$id" params={{ id: original.id }} className="row-link">
                        {nameOf(original.kind)}
                    </Link>
                ),
            },
            { id: "status", size: 110, header: "Status", cell: ({ row }) => <Badge value={row.original.status} /> },
            { id: "step", size: 220, header: "Step", cell: ({ row }) => <CurrentStep operation={row.original} /> },
            { id: "attempts", size: 80, header: "Attempts", cell: ({ row }) => row.original.attempts },
            { id: "created", size: 185, header: "Created", cell: ({ row }) => <Time value={row.original.created_at} seconds /> },
            { id: "took", size: 100, header: "Took", cell: ({ row: { original } }) => (original.finished_at ? duration(Date.parse(original.finished_at) - Date.parse(original.created_at)) : "") },
            { id: "next", size: 185, header: "Next attempt", cell: ({ row }) => row.original.next_attempt_at && <Time value={row.original.next_attempt_at} seconds /> },
        ],
        [],
    );
    return (
        <Page title="Operations" actions={<CopyAsCommand request={{ operation: "GET /operations", query }} />}>
            <Filters count={totalText(list.total, "operations")}>
                <Select label="Status" value={filter.status ?? ""} onChange={(event) => set({ status: event.target.value })} options={[...anyOf(values.OperationStatus), ["open", "Not ended"]]} />
                <Select label="Kind" value={filter.kind ?? ""} onChange={(event) => set({ kind: event.target.value })} options={anyOf(values.OperationKind, nameOf)} />
                <Select label="Progress" value={filter.stuck ?? ""} onChange={(event) => set({ stuck: event.target.value })} options={[["", "Any"], ["true", "Stuck"]]} />
                <Input label="Created from (UTC)" type="date" value={filter.since ?? ""} onChange={(event) => set({ since: event.target.value })} />
            </Filters>
            <ListTable list={list} label="Operations" columns={columns} rows={8} empty={<Empty title={filter.stuck ? "No operation is stuck" : "No operation matches"} />} />
        </Page>
    );
}

function CurrentStep({ operation }: { operation: Operation }) {
    const step = operation.steps.find(({ status }) => status === "running" || status === "undoing" || status === "failed");
    if (step) return <span title={step.error ?? undefined}>{sentence(step.name)}{step.error ? `: ${step.error}` : ""}</span>;
    const done = operation.steps.filter(({ status }) => status === "succeeded").length;
    return <span className="muted">{done} of {operation.steps.length} steps</span>;
}
