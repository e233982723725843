import assert from "node:assert/strict";
import { test } from "node:test";

import { type Page, withFirstPage } from "./pages.ts";

const page = (letters: string, next?: string): Page<{ id: string }> => ({ items: [...letters].map((id) => ({ id })), next });
const letters = (pages: Page<{ id: string }>[]): string[] => pages.map(({ items }) => items.map(({ id }) => id).join(""));

test("items that a new one pushed off the first page are kept before the later ones", () => {
    const pages = [page("dcb", "b"), page("a9", "9"), page("87")];
    assert.deepEqual(letters(withFirstPage(pages, page("fed", "d"))), ["fed", "cba9", "87"]);
});

test("an item that vanished from the first page is gone, and no item appears twice", () => {
    assert.deepEqual(letters(withFirstPage([page("dcb", "b"), page("a9", "9")], page("dba", "a"))), ["dba", "9"]);
});

test("in an order that changes, what left the first page is kept", () => {
    assert.deepEqual(letters(withFirstPage([page("dcb", "b"), page("a9", "9")], page("dba", "a"), true)), ["dba", "c9"]);
});

test("the list begins anew if items in between may be unknown, or nothing is left after the first page", () => {
    const pages = [page("dcb", "b"), page("a9")];
    assert.deepEqual(letters(withFirstPage(pages, page("zyx", "x"))), ["zyx"]);
    assert.deepEqual(letters(withFirstPage(pages, page("dc"))), ["dc"]);
    assert.deepEqual(letters(withFirstPage([], page("a"))), ["a"]);
});

test("the cursor of the last page stays, so that reading goes on after it", () => {
    assert.equal(withFirstPage([page("dcb", "b"), page("a9", "9")], page("edc", "c")).at(-1)?.next, "9");
});
