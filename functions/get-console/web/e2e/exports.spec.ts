// Exports of tenants: their files, their restore into another tenant, and the promotion of the copy.

import { createHash } from "node:crypto";

import type { Locator, Page } from "@playwright/test";

import { type Api, type Schemas, type Tenant, expect, expectAccessible, expectFits, navigate, open, test, unique } from "./fixtures";

const REASON = "The customer has asked for a copy";

type Export = Schemas["Export"];

const sections = (page: Page) => page.getByRole("navigation", { name: "Sections of this tenant" });

const read = (landlord: Api, id: string) => landlord.send<Schemas["OrganizationView"]>("GET", `/tenants/${id}`);

/** A complete export. */
async function exported(landlord: Api, tenant: Tenant): Promise<Export> {
    const { id } = await landlord.send<Export>("POST", `/tenants/${tenant.id}/exports`, { reason: REASON });
    let found: Export | undefined;
    await expect(async () => {
        found = await landlord.send<Export>("GET", `/tenants/${tenant.id}/exports/${id}`);
        expect(found.status).toBe("complete");
    }).toPass({ timeout: 60_000 });
    return found as Export;
}

async function openRestore(page: Page, tenant: Tenant, { id }: Export): Promise<Locator> {
    await navigate(page, `/tenants/${tenant.id}/exports/${id}`);
    await page.getByRole("button", { name: "Restore into a new tenant" }).click();
    return page.getByRole("dialog", { name: `Restore the export of ${tenant.slug}` });
}

test("an export explains itself, is followed to its end, and its files are those of the manifest", async ({ page, landlord, request }) => {
    test.setTimeout(180_000);
    const tenant = await landlord.tenant();
    await open(page, `/tenants/${tenant.id}`);
    await sections(page).getByRole("link", { name: "Exports" }).click();
    await expect(page.getByText("No export is recorded")).toBeVisible();
    await page.getByRole("button", { name: "Export", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: `Export ${tenant.slug}` });
    await expect(dialog.getByText("The tenant works as usual meanwhile.")).toBeVisible();
    await dialog.getByLabel("Reason").fill("too short");
    await dialog.getByRole("button", { name: "Export", exact: true }).click();
    // The browser does not send the form.
    await expect(dialog.getByLabel("Reason")).toBeFocused();
    await expectAccessible(page);
    await dialog.getByLabel("Reason").fill(REASON);
    await dialog.getByRole("button", { name: "Copy as command" }).click();
    await expect(page.getByRole("region", { name: "Command for landlord" })).toContainText(new RegExp(`landlord tenants exports create ${tenant.id}.*--reason`, "s"));
    await page.keyboard.press("Escape");
    await dialog.getByRole("button", { name: "Export", exact: true }).click();
    const card = page.getByRole("region", { name: "Export", exact: true });
    await expect(card.getByText("Complete", { exact: true })).toBeVisible({ timeout: 60_000 });
    await expect(page.getByRole("region", { name: "Progress" }).getByText("All steps succeeded.")).toBeVisible();
    await expect(sections(page).getByRole("link", { name: "Exports" })).toHaveAttribute("aria-current", "page");
    await expect(card).toContainText(REASON);
    await expect(card).toContainText(/Rows\s*\d+ of PostgreSQL/);
    await expectAccessible(page);

    await page.getByRole("button", { name: "Get links" }).click();
    const links = page.getByRole("dialog", { name: "Links to the files of the export" });
    await links.getByLabel("Minutes").fill("61");
    await links.getByRole("button", { name: "Get links" }).click();
    await expect(links.getByLabel("Minutes")).toBeFocused();
    await links.getByLabel("Minutes").fill("5");
    await links.getByRole("button", { name: "Get links" }).click();
    await expect(links.getByRole("timer", { name: "Time left" })).toContainText(/^[45] min|^\d+ s/);
    const manifest = links.getByRole("link", { name: "manifest.json" });
    await expect(manifest).toHaveAttribute("rel", "noopener noreferrer");
    await expectAccessible(page);
    // Without a token, as everyone who has the link.
    const url = (await manifest.getAttribute("href")) ?? "";
    const file = await request.get(url);
    expect(file.status()).toBe(200);
    const { manifest_sha256 } = (await landlord.send<Export[]>("GET", `/tenants/${tenant.id}/exports`))[0] as Export;
    expect(createHash("sha256").update(await file.body()).digest("hex")).toBe(manifest_sha256);
    await expect(links.getByRole("region", { name: "Command for downloading" })).toContainText(`${manifest_sha256}  export/manifest.json`);
    await expect(links.getByRole("region", { name: "Command for downloading" })).toContainText("--output 'export/postgresql/users.copy.gz'");
    const signature = new URL(url).searchParams.get("X-Amz-Signature") ?? "";
    expect(signature).toMatch(/^[0-9a-f]{64}$/);
    const kept = () => page.evaluate(async () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, history.state, await indexedDB.databases(), await caches.keys()]));
    expect(await kept()).not.toContain(signature);
    await links.getByRole("button", { name: "Close" }).last().click();
    expect(await page.content()).not.toContain(signature);
    expect(await kept()).not.toContain(signature);
    await page.getByRole("link", { name: "All exports" }).click();
    await expect(page.getByRole("row", { name: /Complete/ })).toContainText(/\d+ rows, \d+ documents/);
    await page.setViewportSize({ width: 360, height: 740 });
    await expectFits(page);
});

/** An operator sees that the conditions of a promotion hold, and cannot promote. */
async function expectNoPromotion(page: Page, landlord: Api, copy: string): Promise<void> {
    await open(page, `/tenants/${copy}`, await landlord.superAdmin("operator"));
    const conditions = page.getByRole("region", { name: "Conditions of a promotion" }).getByRole("listitem");
    await expect(conditions).toHaveText([/^Fulfilled/, /^Fulfilled/, /^Fulfilled/]);
    await expect(page.getByRole("button", { name: "Reactivate" })).toBeVisible();
    await expect(page.getByRole("button", { name: "Promote" })).toHaveCount(0);
    await page.close();
}

test("a restored copy shows its original, and a promotion names its conditions and consequences", async ({ page, landlord, expected }) => {
    test.setTimeout(240_000);
    expected.statuses = [409];
    const tenant = await landlord.tenant();
    const copyOf = await exported(landlord, tenant);
    await open(page, `/tenants/${tenant.id}`);
    const dialog = await openRestore(page, tenant, copyOf);
    await expect(dialog.getByText("It ends suspended, and no service has access to it")).toBeVisible();
    await dialog.getByLabel("Reason").fill("Contacts were deleted by mistake");
    await dialog.getByLabel("Slug of the new tenant").fill(tenant.slug);
    await dialog.getByRole("button", { name: "Restore into a new tenant" }).click();
    await expect(dialog.getByLabel("Slug of the new tenant")).toHaveAttribute("aria-invalid", "true");
    await expect(dialog.getByLabel("Reason")).toHaveValue("Contacts were deleted by mistake");
    await expectAccessible(page);
    const slug = unique("copy");
    await dialog.getByLabel("Slug of the new tenant").fill(slug);
    await dialog.getByRole("button", { name: "Restore into a new tenant" }).click();
    const card = page.getByRole("region", { name: "Restored copy" });
    await expect(card.getByRole("link", { name: tenant.slug })).toBeVisible();
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Suspended", { timeout: 90_000 });
    await expect(page.getByRole("region", { name: "Suspension" })).toContainText("A restored copy");
    const conditions = card.getByRole("region", { name: "Conditions of a promotion" });
    await expect(conditions.getByRole("listitem").filter({ hasText: `The original, ${tenant.slug}` })).toContainText("Not fulfilled");
    await expect(card.getByRole("button", { name: "Promote" })).toHaveCount(0);
    await expectAccessible(page);
    await page.getByRole("button", { name: "Reactivate" }).click();
    const reactivation = page.getByRole("dialog", { name: `Reactivate ${slug}` });
    await expect(reactivation.getByText("every scheduled broadcast is sent twice")).toBeVisible();
    await expect(reactivation.getByLabel(`Type ${slug} to confirm`)).toBeVisible();
    await expect(reactivation.getByRole("button", { name: "Reactivate" })).toBeDisabled();
    await reactivation.getByRole("button", { name: "Cancel" }).click();
    await expect(reactivation).toHaveCount(0);

    const id = new URL(page.url()).pathname.split("/").pop() ?? "";
    const before = { copy: await read(landlord, id), original: await read(landlord, tenant.id) };
    expect(before.copy.restored_from).toEqual({ tenant_id: tenant.id, export_id: copyOf.id });
    await landlord.send("PATCH", `/tenants/${tenant.id}`, { status: "suspended", reason: "other" });
    await expectNoPromotion(await page.context().newPage(), landlord, id);
    await card.getByRole("button", { name: "Promote" }).click();
    const promotion = page.getByRole("dialog", { name: `Promote the copy to ${tenant.slug}` });
    await expect(promotion.getByText("Another promotion takes this one back")).toBeVisible();
    const submit = promotion.getByRole("button", { name: "Promote" });
    await promotion.getByLabel(`Type ${tenant.slug} to confirm`).fill(slug);
    await expect(submit).toBeDisabled();
    await promotion.getByLabel(`Type ${tenant.slug} to confirm`).fill(tenant.slug);
    await promotion.getByLabel("Reason").fill("Contacts were deleted by mistake");
    await expectAccessible(page);
    // The API refuses while the suspension is being completed, and the form keeps what was typed. A slow request may succeed after the wait.
    await expect(async () => {
        if ((await promotion.count()) > 0) await submit.click({ timeout: 1_000 });
        await expect(promotion).toHaveCount(0, { timeout: 3_000 });
    }).toPass({ timeout: 60_000 });
    await expect(page).toHaveURL(new RegExp(`/tenants/${tenant.id}$`));
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Suspended");
    expect((await read(landlord, tenant.id)).mongo_database).toBe(before.copy.mongo_database);
    expect((await read(landlord, id)).mongo_database).toBe(before.original.mongo_database);
    await sections(page).getByRole("link", { name: "Operations" }).click();
    await expect(page.getByRole("region", { name: "Promotion" }).getByText("All steps succeeded.")).toBeVisible({ timeout: 60_000 });
});

test("a deletion exports the tenant on request, and the export can be restored afterwards", async ({ page, landlord }) => {
    test.setTimeout(240_000);
    const tenant = await landlord.tenant();
    await open(page, `/tenants/${tenant.id}`);
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: `Delete ${tenant.slug}` });
    await expect(dialog.getByText("Nothing is exported, and the exports of it that exist are removed.")).toBeVisible();
    await dialog.getByLabel("Export it before anything is removed").check();
    await expect(dialog.getByText("Nothing is removed before the export is complete.")).toBeVisible();
    await expect(dialog.getByText("Nothing is exported")).toHaveCount(0);
    await expectAccessible(page);
    await dialog.getByLabel("Reason").fill("The customer has cancelled the contract");
    await dialog.getByLabel("Days in which it can be restored").fill("0");
    await dialog.getByLabel(`Type ${tenant.slug} to confirm`).fill(tenant.slug);
    await dialog.getByRole("button", { name: "Delete", exact: true }).click();
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Deleted", { timeout: 150_000 });
    await expect(page.getByRole("region", { name: "Receipt" }).getByRole("row", { name: /files of the export .* UTC/ })).toBeVisible();
    await sections(page).getByRole("link", { name: "Exports" }).click();
    await expect(page.getByText("only an active one can be exported")).toBeVisible();
    await expect(page.getByRole("button", { name: "Export", exact: true })).toHaveCount(0);
    await page.getByRole("row", { name: /Complete/ }).getByRole("link").click();
    await expect(page.getByRole("button", { name: "Restore into a new tenant" })).toBeVisible();
});

test("an operator sees the exports, and neither starts, downloads nor restores one", async ({ page, landlord, request }) => {
    const tenant = await landlord.tenant();
    const found = await exported(landlord, tenant);
    const operator = await landlord.superAdmin("operator");
    await open(page, `/tenants/${tenant.id}/exports`, operator);
    await page.getByRole("row", { name: /Complete/ }).getByRole("link").click();
    await expect(page.getByRole("region", { name: "Export", exact: true })).toContainText(REASON);
    await expect(page.getByRole("button", { name: /^(Export|Get links|Restore into a new tenant)$/ })).toHaveCount(0);
    const login = await request.post("/api/super-admin/auth/login", { data: operator });
    const { access_token } = (await login.json()) as Schemas["IssuedToken"];
    for (const path of ["", `/${found.id}/links`, `/${found.id}/restore`]) {
        const answer = await request.post(`/api/super-admin/tenants/${tenant.id}/exports${path}`, { headers: { authorization: `Bearer ${access_token}` }, data: path.endsWith("links") ? {} : { reason: REASON } });
        expect(answer.status(), path).toBe(403);
    }
});

test("an export that has ended otherwise says why, and offers nothing", async ({ page, landlord, expected }) => {
    expected.statuses = [404];
    const tenant = await landlord.tenant();
    const found = await exported(landlord, tenant);
    let status: Export["status"] = "failed";
    // Only the status is replaced: failures and the end of the retention take long.
    await page.route(`**/api/super-admin/tenants/${tenant.id}/exports/${found.id}`, (route) => route.fulfill({ json: { ...found, status, ...(status === "expired" ? {} : { summary: null, expires_at: null, manifest_sha256: null }) }, headers: { etag: `"${status}"` } }));
    await open(page, `/tenants/${tenant.id}/exports/${found.id}`);
    await expect(page.getByText("It could not be written, and its files were removed.")).toBeVisible();
    await expect(page.getByRole("button", { name: /^(Get links|Restore into a new tenant)$/ })).toHaveCount(0);
    status = "superseded";
    await navigate(page, `/tenants/${tenant.id}/exports`);
    await navigate(page, `/tenants/${tenant.id}/exports/${found.id}`);
    await expect(page.getByText("The tenant was suspended or deleted before it was complete.")).toBeVisible({ timeout: 20_000 });
    status = "expired";
    await navigate(page, `/tenants/${tenant.id}/exports`);
    await navigate(page, `/tenants/${tenant.id}/exports/${found.id}`);
    await expect(page.getByText("It cannot be downloaded or restored any more.")).toBeVisible({ timeout: 20_000 });
    await expectAccessible(page);
    await navigate(page, `/tenants/${tenant.id}/exports/01900000-0000-7000-8000-000000000000`);
    await expect(page.getByRole("alert")).toContainText("Go back to the list");
});
