import assert from "node:assert/strict";
import { test } from "node:test";

import { dayBefore, seriesOf } from "./usageSeries.ts";

const measured = { agents: 3, contacts: null, messages_month: 0, storage_bytes: 5, measured_at: "2026-03-01T23:50:00Z" };

test("a day without a measurement is a gap, and a measured 0 is none", () => {
    const history = { since: "2026-02-27", until: "2026-03-02", days: [{ ...measured, day: "2026-02-28" }, { ...measured, day: "2026-03-01", agents: 4 }] };
    assert.deepEqual(seriesOf(history, "agents").values, [null, 3, 4, null]);
    assert.deepEqual(seriesOf(history, "messages_month").values, [null, 0, 0, null]);
    assert.deepEqual(seriesOf(history, "contacts").values, [null, null, null, null]);
    assert.deepEqual(seriesOf(history, "agents").times.map((time) => new Date(time).toISOString()), ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"].map((day) => `${day}T00:00:00.000Z`));
});

test("days begin at midnight UTC", () => {
    assert.equal(dayBefore(Date.parse("2026-03-01T00:30:00Z"), 0), "2026-03-01");
    assert.equal(dayBefore(Date.parse("2026-03-01T23:59:59Z"), 1), "2026-02-28");
    assert.equal(dayBefore(Date.parse("2026-03-01T12:00:00Z"), 29), "2026-01-31");
});
