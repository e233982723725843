import assert from "node:assert/strict";
import { test } from "node:test";

import { values } from "../../api/generated/operations.ts";
import { explanationOf, isAbandonable, isOver, nameOf, retryText, stateOf } from "./kinds.ts";

const NOW = Date.UTC(2026, 0, 15);

test("each kind of operation has a name of its own and says what it does", () => {
    const names = values.OperationKind.map(nameOf);
    assert.equal(new Set(names).size, values.OperationKind.length);
    for (const kind of values.OperationKind) {
        assert.notEqual(nameOf(kind), kind);
        assert.match(explanationOf(kind) ?? "", /\.$/);
        assert.match(retryText(kind), /\.$/);
    }
});

test("only what creates databases or files, and is not over or undone already, can be abandoned", () => {
    const abandonable = values.OperationKind.flatMap((kind) => values.OperationStatus.filter((status) => isAbandonable({ kind, status })).map((status) => `${kind} ${status}`));
    // In the order of the document, in which other kinds may come between.
    assert.deepEqual(abandonable.toSorted(), ["provision", "retry", "export", "restore"].flatMap((kind) => [`${kind} pending`, `${kind} running`]).toSorted());
});

test("an operation that was superseded is over", () => {
    assert.deepEqual(values.OperationStatus.filter((status) => isOver({ status })), ["succeeded", "failed", "superseded"]);
});

test("a purge that waits for the end of the recovery is not said to be executed", () => {
    const waiting = { kind: "purge", status: "running", fault: null, next_attempt_at: new Date(NOW + 1000).toISOString() } as const;
    assert.match(stateOf(waiting, NOW), /Nothing is removed before/);
    for (const other of [{ next_attempt_at: new Date(NOW - 1000).toISOString() }, { next_attempt_at: null }, { fault: "unavailable" }, { kind: "suspend" }] as const) {
        assert.equal(stateOf({ ...waiting, ...other }, NOW), "A worker executes its steps.");
    }
    assert.equal(stateOf({ ...waiting, status: "superseded" }, NOW), "A newer operation took its place before it ended.");
});
