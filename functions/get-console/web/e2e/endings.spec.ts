// The end of a tenant: its deletion, its restore, its purge and its receipt.

import { readFileSync } from "node:fs";

import type { Locator, Page } from "@playwright/test";

import { type Api, type Schemas, type Tenant, expect, expectAccessible, navigate, open, test } from "./fixtures";

const REASON = "The customer has cancelled the contract";

const read = (landlord: Api, { id }: Tenant) => landlord.send<Schemas["Organization"]>("GET", `/tenants/${id}`);

/** Opens the dialog that deletes a tenant. */
async function openDeletion(page: Page, tenant: Tenant): Promise<Locator> {
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    return page.getByRole("dialog", { name: `Delete ${tenant.slug}` });
}

test("a deletion explains itself, needs a reason and the slug, and a restore takes it back", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await open(page, `/tenants/${tenant.id}`);
    const dialog = await openDeletion(page, tenant);
    const submit = dialog.getByRole("button", { name: "Delete", exact: true });
    await expect(dialog.getByText("Nobody can undo that")).toBeVisible();
    await expect(dialog.getByText("It can be restored for 7 days, until about")).toBeVisible();
    await dialog.getByLabel("Days in which it can be restored").fill("0");
    await expect(dialog.getByText("It cannot be restored: everything is removed at once.")).toBeVisible();
    await dialog.getByLabel("Days in which it can be restored").fill("3");
    await expect(dialog.getByText("It can be restored for 3 days, until about")).toBeVisible();
    await expectAccessible(page);
    await dialog.getByLabel(`Type ${tenant.slug} to confirm`).fill(`${tenant.slug}x`);
    await expect(submit).toBeDisabled();
    await dialog.getByLabel(`Type ${tenant.slug} to confirm`).fill(tenant.slug);
    await expect(submit).toBeEnabled();
    // Without a reason, and with too many days, the browser does not send the form.
    await submit.click();
    await expect(dialog.getByLabel("Reason")).toBeFocused();
    await dialog.getByLabel("Reason").fill(REASON);
    await dialog.getByLabel("Days in which it can be restored").fill("31");
    await submit.click();
    await expect(dialog.getByLabel("Days in which it can be restored")).toBeFocused();
    expect((await read(landlord, tenant)).status).toBe("active");
    await dialog.getByLabel("Days in which it can be restored").fill("3");
    await dialog.getByRole("button", { name: "Copy as command" }).click();
    await expect(page.getByRole("region", { name: "Command for landlord" })).toContainText(new RegExp(`landlord tenants delete ${tenant.id}.*--confirm ${tenant.slug}.*--if-match \\d+.*--recovery-days 3`, "s"));
    await page.keyboard.press("Escape");
    await submit.click();
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Deleting");
    const deleted = await read(landlord, tenant);
    expect(deleted).toMatchObject({ status: "deleting", deletion: { reason: REASON, status_before: "active" } });
    const days = (Date.parse(deleted.deletion?.purge_after ?? "") - Date.parse(deleted.deletion?.requested_at ?? "")) / 86_400_000;
    expect(days).toBeCloseTo(3, 3);
    const card = page.getByRole("region", { name: "Deletion" });
    await expect(card).toContainText(REASON);
    await expect(card).toContainText(/Time left to restore it\s*2 d 23 h/);
    await expect(page.getByRole("button", { name: "Delete", exact: true })).toHaveCount(0);
    await expect(page.getByRole("button", { name: "Suspend" })).toHaveCount(0);
    await expectAccessible(page);
    await page.getByRole("button", { name: "Restore" }).click();
    const restore = page.getByRole("dialog", { name: `Restore ${tenant.slug}` });
    await expect(restore.getByText("People have to sign in again")).toBeVisible();
    await expect(restore.getByText("Impersonations that its deletion ended do not come back.")).toBeVisible();
    await expectAccessible(page);
    await restore.getByRole("button", { name: "Restore" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Active");
    await expect(card).toHaveCount(0);
    expect(await read(landlord, tenant)).toMatchObject({ status: "active", deletion: null });
    // The operations of both are named for what they do.
    await page.getByRole("navigation", { name: "Sections of this tenant" }).getByRole("link", { name: "Operations" }).click();
    await expect(page.getByRole("region", { name: "Purge" })).toContainText("A newer operation took its place");
    await expect(page.getByRole("region", { name: "Reactivation" })).toBeVisible();
    await expect(page.getByRole("region", { name: "Purge" }).getByRole("button", { name: /^(Try now|Abandon)$/ })).toHaveCount(0);
});

test("a suspended tenant is restored as suspended", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await landlord.send("PATCH", `/tenants/${tenant.id}`, { status: "suspended", reason: "legal" });
    await landlord.send("DELETE", `/tenants/${tenant.id}?confirm=${tenant.slug}`, { reason: REASON });
    await open(page, `/tenants/${tenant.id}`);
    await page.getByRole("button", { name: "Restore" }).click();
    const dialog = page.getByRole("dialog", { name: `Restore ${tenant.slug}` });
    await expect(dialog.getByText("It is suspended again")).toBeVisible();
    await dialog.getByRole("button", { name: "Restore" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Suspended");
    expect((await read(landlord, tenant)).status).toBe("suspended");
});

test("a tenant that was changed meanwhile is not deleted before somebody looked at it again", async ({ page, landlord, expected }) => {
    expected.statuses = [412];
    const tenant = await landlord.tenant();
    await open(page, `/tenants/${tenant.id}`);
    const dialog = await openDeletion(page, tenant);
    const submit = dialog.getByRole("button", { name: "Delete", exact: true });
    await dialog.getByLabel("Reason").fill(REASON);
    await dialog.getByLabel(`Type ${tenant.slug} to confirm`).fill(tenant.slug);
    await expect(submit).toBeEnabled();
    await landlord.send("PATCH", `/tenants/${tenant.id}`, { name: "Kopi Kenangan Baru" });
    await submit.click();
    await expect(dialog.getByRole("alert")).toContainText("Look at the current state");
    expect((await read(landlord, tenant)).status).toBe("active");
    await expect(dialog.getByLabel("Reason")).toHaveValue(REASON);
    await dialog.getByRole("button", { name: "Use the current state" }).click();
    await expect(dialog.getByRole("alert")).toHaveCount(0);
    await submit.click();
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Deleting");
});

test("a tenant without time to be restored is purged, and its receipt is shown and saved", async ({ page, landlord }) => {
    test.setTimeout(180_000);
    const tenant = await landlord.tenant();
    await open(page, `/tenants/${tenant.id}`);
    const dialog = await openDeletion(page, tenant);
    await dialog.getByLabel("Reason").fill(REASON);
    await dialog.getByLabel("Days in which it can be restored").fill("0");
    await dialog.getByLabel(`Type ${tenant.slug} to confirm`).fill(tenant.slug);
    await dialog.getByRole("button", { name: "Delete", exact: true }).click();
    await expect(dialog).toHaveCount(0);
    // Now, and not only at the end of the purge.
    expect(await page.getByRole("button", { name: /^(Delete|Restore)$/ }).count()).toBe(0);
    // Its page follows the purge to its end.
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Deleted", { timeout: 120_000 });
    const receipt = page.getByRole("region", { name: "Receipt" });
    await expect(receipt.getByText("Shown unverified")).toBeVisible();
    await expect(receipt).toContainText(REASON);
    await expect(receipt).toContainText(/Found there\s*nothing/);
    // What existed, and the same as removed.
    await expect(receipt.getByRole("row", { name: /^PostgreSQL .*1 database.*1 database/ })).toContainText(/\d rows?/);
    await expect(receipt.getByRole("row", { name: /^MongoDB / })).toBeVisible();
    await expect(receipt.getByRole("row", { name: /audit log.*UTC/ })).toBeVisible();
    await expect(receipt.getByRole("row", { name: /this receipt without end/ })).toBeVisible();
    await expect(receipt.getByRole("region", { name: "Command for verification" })).toContainText("/.well-known/jwks.json");
    await expectAccessible(page);
    const saved = page.waitForEvent("download");
    await receipt.getByRole("button", { name: "Save the signed receipt" }).click();
    const download = await saved;
    expect(download.suggestedFilename()).toBe(`receipt-${tenant.slug}.jws`);
    const { receipt: jws } = await landlord.send<Schemas["TenantReceipt"]>("GET", `/tenants/${tenant.id}/receipt`);
    expect(readFileSync(await download.path(), "utf8")).toBe(jws);
    // The page does not ask for what cannot exist any more.
    await page.getByRole("navigation", { name: "Sections of this tenant" }).getByRole("link", { name: "Users" }).click();
    await expect(page.getByText("The users were removed with the tenant")).toBeVisible();
    await navigate(page, `/operations?kind=purge&status=succeeded`);
    await expect(page.getByRole("link", { name: "Purge" }).first()).toBeVisible();
});

test("an operator suspends and restores, and sees neither a deletion nor an erasure", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    const operator = await landlord.superAdmin("operator");
    await open(page, `/tenants/${tenant.id}`, operator);
    await expect(page.getByRole("button", { name: "Suspend" })).toBeVisible();
    await expect(page.getByRole("button", { name: "Delete", exact: true })).toHaveCount(0);
    await page.getByRole("navigation", { name: "Sections of this tenant" }).getByRole("link", { name: "Users" }).click();
    await expect(page.getByRole("button", { name: `Edit ${tenant.admin}` })).toBeVisible();
    await expect(page.getByRole("button", { name: /^Erase/ })).toHaveCount(0);
    await landlord.send("DELETE", `/tenants/${tenant.id}?confirm=${tenant.slug}`, { reason: REASON });
    await expect(page.getByRole("button", { name: "Restore" })).toBeVisible();
    await expect(page.getByText("its users can be changed only while it is active")).toBeVisible();
});
