import assert from "node:assert/strict";
import { test } from "node:test";

import { lifetimeOf, nextAttempt, renewed } from "./renewal.ts";

const NOW = Date.UTC(2026, 0, 15);
const HOUR = 3_600_000;
const MINUTE = 60_000;

test("a token is replaced when half of its time is over", () => {
    assert.deepEqual(lifetimeOf({ expires_in: 28_800 }, NOW), { expiresAt: NOW + 8 * HOUR, refreshAt: NOW + 4 * HOUR });
});

test("a session that cannot last longer is not refreshed again, and keeps its latest end", () => {
    const before = lifetimeOf({ expires_in: 28_800 }, NOW);
    const at = NOW + 4 * HOUR;
    assert.deepEqual(renewed(before, { expires_in: 28_800 }, at), { expiresAt: at + 8 * HOUR, refreshAt: at + 4 * HOUR });
    // The maximum age is in five hours: this token lasts an hour longer, the next one no longer.
    const last = renewed(before, { expires_in: 5 * 3600 }, at);
    assert.deepEqual(last, { expiresAt: at + 5 * HOUR, refreshAt: at + 2.5 * HOUR });
    assert.deepEqual(renewed(last, { expires_in: 2.5 * 3600 }, at + 2.5 * HOUR), { expiresAt: last.expiresAt });
    assert.deepEqual(renewed(last, { expires_in: 60 }, at + 2.5 * HOUR), { expiresAt: last.expiresAt });
});

test("after failures, the next attempts come later and later, and in time", () => {
    const session = { expiresAt: NOW + 4 * HOUR };
    const delays = [1, 2, 3, 4, 5, 6, 7, 8, 20].map((failures) => nextAttempt(session, failures, NOW, 0.5) - NOW);
    assert.deepEqual(delays, [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 5 * MINUTE, 5 * MINUTE, 5 * MINUTE]);
    assert.equal(nextAttempt({ expiresAt: NOW + MINUTE }, 9, NOW, 0.5) - NOW, 30_000);
    assert.equal(nextAttempt({ expiresAt: NOW + 100 }, 9, NOW, 0.5) - NOW, 1_000);
    assert.deepEqual([0, 1].map((chance) => Math.round(nextAttempt(session, 1, NOW, chance) - NOW)), [4_000, 6_000]);
});

test("the API's own time comes first", () => {
    assert.equal(nextAttempt({ expiresAt: NOW + HOUR }, 1, NOW, 0.5, 900) - NOW, 15 * MINUTE);
    assert.equal(nextAttempt({ expiresAt: NOW + HOUR }, 7, NOW, 0.5, 1) - NOW, 5 * MINUTE);
});
