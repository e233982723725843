import assert from "node:assert/strict";
import { test } from "node:test";

import { readReceipt, verification } from "./readReceipt.ts";

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

const signed = (claims: unknown, typ = "tenant-receipt+jwt"): string => `${part({ alg: "EdDSA", typ, kid: "1" })}.${part(claims)}.c2lnbmF0dXJl`;

const CLAIMS = {
    iss: "landlord",
    sub: "0190a0c4-8f6e-7c3a-9d2b-000000000001",
    jti: "0190a0c4-8f6e-7c3a-9d2b-000000000002",
    iat: Date.UTC(2026, 0, 22, 9, 30) / 1000,
    slug: "kopi-kenangan",
    deletion: { reason: "Der Vertrag läuft aus: “Kopi” 漢" },
    stores: [
        { store: "postgresql", cluster: "main", existed: { databases: 1, rows: 12, bytes: 8_400_000 }, removed: { databases: 1, rows: 12, bytes: 8_400_000 } },
        { store: "redis", cluster: "", existed: { keys: 0 }, removed: { keys: 0 } },
    ],
    search: { searched_at: "2026-01-22T09:29:59Z", postgresql_clusters: ["main", "two"], mongodb_clusters: ["main"], bucket: "media", redis: true, found: 0 },
    remains: [{ what: "backups", until: "2026-02-26T09:30:00Z" }, { what: "this receipt", until: null }],
};

test("a receipt is read from what was signed, in any script", () => {
    const receipt = readReceipt(signed(CLAIMS));
    assert.equal(receipt.slug, "kopi-kenangan");
    assert.equal(receipt.reason, "Der Vertrag läuft aus: “Kopi” 漢");
    assert.equal(receipt.purgedAt, "2026-01-22T09:30:00.000Z");
    assert.deepEqual(receipt.stores[0], { store: "postgresql", cluster: "main", existed: [["databases", 1], ["rows", 12], ["bytes", 8_400_000]], removed: [["databases", 1], ["rows", 12], ["bytes", 8_400_000]] });
    assert.deepEqual(receipt.search, { at: "2026-01-22T09:29:59Z", places: ["PostgreSQL main", "PostgreSQL two", "MongoDB main", "bucket media", "Redis"], found: 0 });
    assert.deepEqual(receipt.remains, [{ what: "backups", until: "2026-02-26T09:30:00Z" }, { what: "this receipt", until: undefined }]);
});

test("a receipt without some of its parts is read as far as it goes", () => {
    const receipt = readReceipt(signed({ slug: "kopi", stores: [], search: { found: 0 } }));
    assert.deepEqual([receipt.stores, receipt.remains, receipt.purgedAt, receipt.search.found], [[], [], undefined, 0]);
    // That nothing was found must be stated, and is not assumed.
    assert.equal(readReceipt(signed({ slug: "kopi" })).search.found, undefined);
});

test("what is no receipt is refused", () => {
    const [header, claims] = signed(CLAIMS).split(".");
    for (const jws of ["", "a.b.c", `${header}.${claims}`, `${header}.${claims}.`, signed(CLAIMS, "impersonation+jwt"), signed([1]), `${signed(CLAIMS)}.more`]) {
        assert.throws(() => readReceipt(jws), /no receipt/, jws);
    }
});

test("a receipt is verified with the published keys of the platform", () => {
    const command = verification("receipt-kopi.jws", "https://landlord.example");
    assert.match(command, /\$\(cat receipt-kopi\.jws\)" "https:\/\/landlord\.example\/\.well-known\/jwks\.json"$/);
});
