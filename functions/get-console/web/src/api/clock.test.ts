import assert from "node:assert/strict";
import { test } from "node:test";

import { clockOffset, learnTime } from "./clock.ts";

const at = (milliseconds: number): string => new Date(milliseconds).toUTCString();
const TIME = Date.UTC(2026, 0, 1);

test("a clock that may be right is not corrected", () => {
    learnTime(at(TIME), TIME + 100, TIME + 300);
    learnTime(null, 0, 1);
    learnTime("not a date", 0, 1);
    assert.equal(clockOffset(), 0);
});

test("a clock that is off is corrected to within a second, and better with each response", () => {
    // The device is an hour early.
    const device = TIME - 3_600_000;
    learnTime(at(TIME), device + 100, device + 300);
    assert.ok(Math.abs(clockOffset() - 3_600_000) <= 1000, String(clockOffset()));
    const first = Math.abs(clockOffset() - 3_600_000);
    learnTime(at(TIME + 1000), device + 1005, device + 1010);
    assert.ok(Math.abs(clockOffset() - 3_600_000) <= first, String(clockOffset()));
});

test("a clock that was set in between is learned anew", () => {
    const device = TIME + 120_000;
    learnTime(at(TIME), device, device + 50);
    assert.ok(Math.abs(clockOffset() + 120_000) <= 1000, String(clockOffset()));
});
