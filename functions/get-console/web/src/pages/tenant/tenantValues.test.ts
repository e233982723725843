import assert from "node:assert/strict";
import { test } from "node:test";

import { type Editable, differing, merged, patchOf, valuesOf } from "./tenantValues.ts";

const TENANT: Editable = { id: "0190a0c4-8f6e-7c3a-9d2b-000000000001", name: "Kopi", limits: { max_agents: 25, max_contacts: null, max_messages_month: 1000 }, on_limit: "notify" };
const BASE = valuesOf(TENANT);

test("a patch contains what differs, and nothing else", () => {
    assert.deepEqual(patchOf(BASE, BASE), {});
    assert.deepEqual(patchOf(BASE, { ...BASE, on_limit: "block_new" }), { on_limit: "block_new" });
    assert.deepEqual(patchOf(BASE, { ...BASE, name: "Kopi Kenangan", max_agents: "unlimited", max_contacts: "7" }), { name: "Kopi Kenangan", limits: { max_agents: null, max_contacts: 7 } });
    assert.equal(patchOf(BASE, { ...BASE, max_agents: "many", on_limit: "block_new" }), undefined);
});

test("a field that one side changed is that side's, whatever is chosen", () => {
    const theirs = { ...BASE, on_limit: "block_new", max_agents: "30" } as const;
    const mine = { ...BASE, max_contacts: "9" };
    for (const choice of ["mine", "theirs"] as const) assert.deepEqual(merged(BASE, theirs, mine, choice), { ...theirs, max_contacts: "9" });
    assert.deepEqual(differing(BASE, theirs, mine), ["max_agents", "max_contacts", "on_limit"]);
});

test("the choice decides about a field that both sides changed", () => {
    const [theirs, mine] = [{ ...BASE, max_agents: "30" }, { ...BASE, max_agents: "40", on_limit: "block_new" }] as const;
    assert.deepEqual(merged(BASE, theirs, mine, "mine"), mine);
    assert.deepEqual(merged(BASE, theirs, mine, "theirs"), { ...theirs, on_limit: "block_new" });
});
