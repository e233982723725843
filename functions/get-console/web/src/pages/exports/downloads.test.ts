import assert from "node:assert/strict";
import { test } from "node:test";

import { downloadCommand, nameOf } from "./downloads.ts";

const FOLDER = "exports/0190a0c4-8f6e-7c3a-9d2b-000000000001/0190a0c4-8f6e-7c3a-9d2b-000000000002/3";

test("a file has the name that differs from those of the others", () => {
    assert.equal(nameOf({ key: `${FOLDER}/postgresql/users.copy.gz` }), "postgresql/users.copy.gz");
    assert.equal(nameOf({ key: "elsewhere" }), "elsewhere");
});

test("the command downloads each file and compares it with its digest", () => {
    const files = [
        { key: `${FOLDER}/manifest.json`, url: "https://bucket.example/m?X-Amz-Signature=01&b=2", sha256: "ab".repeat(32) },
        { key: `${FOLDER}/mongodb/it's.jsonl.gz`, url: "https://bucket.example/o", sha256: "cd".repeat(32) },
    ];
    assert.deepEqual(downloadCommand(files).split("\n"), [
        "set -e",
        "curl --fail --silent --show-error --create-dirs --output 'export/manifest.json' 'https://bucket.example/m?X-Amz-Signature=01&b=2'",
        `curl --fail --silent --show-error --create-dirs --output 'export/mongodb/it'\\''s.jsonl.gz' 'https://bucket.example/o'`,
        "sha256sum --check --strict <<'END'",
        `${"ab".repeat(32)}  export/manifest.json`,
        `${"cd".repeat(32)}  export/mongodb/it's.jsonl.gz`,
        "END",
    ]);
});
