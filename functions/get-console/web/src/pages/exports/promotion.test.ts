import assert from "node:assert/strict";
import { test } from "node:test";

import { conditionsOf } from "./promotion.ts";

const tenant = (status: "active" | "suspended" | "deleted" | "provisioning", schema_version = 3) => ({ slug: "kopi", status, schema_version });

const broken = (...tenants: Parameters<typeof conditionsOf>) => conditionsOf(...tenants).flatMap(({ holds, remedy }) => (holds ? [] : [remedy]));

test("two suspended tenants with one schema can be promoted", () => {
    assert.deepEqual(broken(tenant("suspended"), tenant("suspended")), []);
});

test("each condition that does not hold says what to do", () => {
    assert.deepEqual(broken(tenant("provisioning", 2), tenant("active")), ["It is provisioning.", "Suspend it: open the original.", "This copy has version 2, the original 3. Migrate the older one."]);
    assert.deepEqual(broken(tenant("active"), tenant("suspended")), ["Suspend it."]);
});

test("the copy of a deleted tenant is a tenant of its own", () => {
    assert.match(broken(tenant("suspended"), tenant("deleted"))[0] ?? "", /Reactivate this copy instead/);
});
