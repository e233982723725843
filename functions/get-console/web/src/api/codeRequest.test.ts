import assert from "node:assert/strict";
import { test } from "node:test";

import { type Provider, outcomeOf, prepare, readReply } from "./codeRequest.ts";

const PROVIDER: Provider = { issuer: "https://idp.example", authorization_url: "https://idp.example/authorize?audience=api", client_id: "console", scope: "openid roles" };

test("a request has a challenge, and keeps the query of the provider's address", async () => {
    Object.assign(globalThis, { location: { origin: "https://landlord.example" } });
    const attempt = await prepare(PROVIDER);
    const fields = new URL(attempt.url).searchParams;
    assert.equal(fields.get("audience"), "api");
    assert.equal(fields.get("redirect_uri"), "https://landlord.example/console/signed-in");
    assert.equal(fields.get("scope"), "openid roles");
    assert.equal(fields.get("state"), attempt.state);
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(attempt.verifier));
    assert.equal(fields.get("code_challenge"), Buffer.from(digest).toString("base64url"));
    // RFC 7636, section 4.1.
    assert.match(attempt.verifier, /^[A-Za-z0-9_-]{43}$/);
    assert.ok(!attempt.url.includes(attempt.verifier));
    const other = await prepare(PROVIDER);
    assert.notEqual(other.state, attempt.state);
    assert.notEqual(other.verifier, attempt.verifier);
});

test("a reply is a code of this provider, or else a refusal with its reason", () => {
    const outcome = (query: string) => outcomeOf(readReply(query), PROVIDER);
    assert.deepEqual(outcome("?code=c%201&state=s"), { code: "c 1" });
    assert.deepEqual(outcome("?code=c&state=s&iss=https%3A%2F%2Fidp.example"), { code: "c" });
    const refusal = (query: string) => (outcome(query) as { refusal: [string, string] }).refusal;
    assert.equal(refusal("?code=c&state=s&iss=https%3A%2F%2Fevil.example")[0], "The sign-in is not trustworthy");
    assert.deepEqual(refusal("?error=access_denied&error_description=Not+you"), ["The identity provider has refused", "Not you"]);
    assert.equal(refusal("?error=access_denied")[1], "access_denied");
    assert.equal(refusal("")[1], "It gave no reason.");
});
