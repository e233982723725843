import assert from "node:assert/strict";
import { test } from "node:test";

import { downloadCommand, nameOf } from "./downloads.ts";

const EXPORT = "exports/0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee/0190a0c6-44b8-7e21-b0d3-9f4c2a7be5a1";

test("a file has its folder and its name, without the token of the attempt", () => {
    assert.equal(nameOf({ key: `${EXPORT}/manifest/17/manifest.json` }), "manifest.json");
    assert.equal(nameOf({ key: `${EXPORT}/postgresql/2/users.copy.gz` }), "postgresql/users.copy.gz");
    assert.equal(nameOf({ key: `${EXPORT}/objects/3/objects-00001.jsonl.gz` }), "objects/objects-00001.jsonl.gz");
    assert.equal(nameOf({ key: "elsewhere" }), "elsewhere");
});

test("a slash in the name of a collection chooses no folder", () => {
    assert.equal(nameOf({ key: `${EXPORT}/mongodb/3/../../x-00001.jsonl.gz` }), "mongodb/..%2F..%2Fx-00001.jsonl.gz");
});

test("the command downloads each file and compares it with its digest", () => {
    const files = [
        { key: `${EXPORT}/manifest/17/manifest.json`, url: "https://bucket.example/m?X-Amz-Signature=01&b=2", sha256: "ab".repeat(32) },
        { key: `${EXPORT}/postgresql/2/users.copy.gz`, url: "https://bucket.example/u", sha256: "ef".repeat(32) },
        { key: `${EXPORT}/mongodb/3/it's-00001.jsonl.gz`, url: "https://bucket.example/o", sha256: "cd".repeat(32) },
    ];
    assert.deepEqual(downloadCommand(files).split("\n"), [
        "set -e",
        "curl --fail --silent --show-error --create-dirs --output 'export/manifest.json' 'https://bucket.example/m?X-Amz-Signature=01&b=2'",
        "curl --fail --silent --show-error --create-dirs --output 'export/postgresql/users.copy.gz' 'https://bucket.example/u'",
        `curl --fail --silent --show-error --create-dirs --output 'export/mongodb/it'\\''s-00001.jsonl.gz' 'https://bucket.example/o'`,
        "sha256sum --check --strict <<'END'",
        `${"ab".repeat(32)}  export/manifest.json`,
        `${"ef".repeat(32)}  export/postgresql/users.copy.gz`,
        `${"cd".repeat(32)}  export/mongodb/it's-00001.jsonl.gz`,
        "END",
    ]);
});
