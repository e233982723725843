import assert from "node:assert/strict";
import { test } from "node:test";

import { curl, landlord } from "./commands.ts";
import { operations } from "./generated/operations.ts";

Object.assign(globalThis, { location: { origin: "https://landlord.example" } });

const ID = "0190a0c4-8f6e-7c3a-9d2b-000000000001";

test("a change is shown with its revision, and with null", () => {
    const request = { operation: "PATCH /tenants/{id}", ids: [ID], body: { limits: { max_agents: 50, max_contacts: null, max_messages_month: undefined } }, headers: { "if-match": '"3"' } } as const;
    const copied = { ...request, ids: [...request.ids] };
    assert.equal(landlord(copied), `landlord tenants update ${ID} \\\n  --if-match 3 \\\n  --limits.max-agents 50 \\\n  --limits.max-contacts null`);
    assert.equal(
        curl(copied),
        `curl https://landlord.example/api/super-admin/tenants/${ID} \\\n  --request PATCH \\\n  --header "authorization: Bearer $TOKEN" \\\n  --header 'if-match: "3"' \\\n  --json '{"limits":{"max_agents":50,"max_contacts":null}}'`,
    );
});

test("a deletion is shown with its confirmation, its reason and a body", () => {
    const request = { operation: "DELETE /tenants/{id}" as const, ids: [ID], query: { confirm: "kopi" }, body: { reason: "The contract has ended", recovery_days: 0 }, headers: { "if-match": '"3"' } };
    assert.equal(landlord(request), `landlord tenants delete ${ID} \\\n  --confirm kopi \\\n  --if-match 3 \\\n  --reason 'The contract has ended' \\\n  --recovery-days 0`);
    assert.equal(
        curl(request),
        `curl 'https://landlord.example/api/super-admin/tenants/${ID}?confirm=kopi' \\\n  --request DELETE \\\n  --header "authorization: Bearer $TOKEN" \\\n  --header 'if-match: "3"' \\\n  --json '{"reason":"The contract has ended","recovery_days":0}'`,
    );
});

test("a list is shown with its filters, and without what the command line does itself", () => {
    const request = { operation: "GET /tenants" as const, query: { status: ["suspended", "failed"], search: "kopi's", sort: undefined, country: "", count: true, cursor: "x", include: ["usage"] } };
    assert.equal(landlord(request), `landlord tenants list \\\n  --status suspended,failed \\\n  --search 'kopi'\\''s' \\\n  --include usage`);
    assert.match(curl(request), /tenants\?status=suspended&status=failed&search=kopi%27s&count=true&cursor=x&include=usage'/);
});

test("no password is in a command", () => {
    const request = { operation: "POST /tenants" as const, body: { name: "Kopi", admin_password: "tidal-mango-orbit-42" } };
    assert.equal(landlord(request), "landlord tenants create \\\n  --name Kopi \\\n  --admin-password-file FILE");
    assert.ok(!curl(request).includes("tidal"));
});

test("commands follow from operations as the command line names them", () => {
    const commands = Object.fromEntries(Object.entries(operations).map(([name, { command }]) => [name, command]));
    for (const [name, command] of [
        ["GET /tenants", "tenants list"],
        ["POST /tenants", "tenants create"],
        ["GET /tenants/{id}", "tenants get"],
        ["PATCH /tenants/{id}", "tenants update"],
        ["POST /tenants/{id}/retry", "tenants retry"],
        ["GET /tenants/usage", "tenants usage list"],
        ["GET /tenants/{id}/users/{user_id}", "tenants users get"],
        ["POST /tenants/{id}/users/{user_id}/erase", "tenants users erase"],
        ["DELETE /tenants/{id}", "tenants delete"],
        ["POST /tenants/{id}/restore", "tenants restore"],
        ["GET /tenants/{id}/receipt", "tenants receipt"],
        ["GET /users/search", "users search list"],
        ["POST /impersonations", "impersonations start"],
        ["DELETE /impersonations/{id}", "impersonations end"],
        ["GET /health", "health"],
        ["GET /health/history", "health history"],
        ["GET /openapi.json", "openapi"],
        ["POST /auth/login", "auth login"],
        ["POST /dead-letters/redrive", "dead-letters redrive"],
        ["GET /.well-known/jwks.json", "jwks"],
    ]) {
        assert.equal(commands[name ?? ""], command, name);
    }
    assert.equal(new Set(Object.values(commands)).size, Object.keys(commands).length, "no two operations have one command");
});
