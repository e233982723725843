import assert from "node:assert/strict";
import { test } from "node:test";

import { limitText, readLimit } from "./limits.ts";

test("a number is a limit, the word unlimited is none, and an empty field has no value", () => {
    assert.deepEqual(readLimit(" 25 "), { value: 25 });
    assert.deepEqual(readLimit("0"), { value: 0 });
    assert.deepEqual(readLimit("unlimited"), { value: null });
    assert.deepEqual(readLimit("  "), {});
});

test("a typing error is neither a number nor unlimited", () => {
    for (const text of ["unlimted", "Unlimited", "1e3", "-1", "1.5", "1,000", "12x", "null", "0x10", "٣", "1000000000001"]) {
        const { value, error } = readLimit(text);
        assert.equal(value, undefined, text);
        assert.ok(error, text);
    }
});

test("a limit is shown as it can be typed again", () => {
    for (const limit of [null, 0, 25, 1_000_000_000_000]) assert.deepEqual(readLimit(limitText(limit)), { value: limit });
});
