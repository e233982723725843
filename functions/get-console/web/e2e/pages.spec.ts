import type { Page } from "@playwright/test";

import { expect, expectAccessible, open, test } from "./fixtures";

const PAGES = [
    ["", "Overview"],
    ["/tenants", "Tenants"],
    ["/tenants/new", "Create a tenant"],
    ["/operations", "Operations"],
    ["/impersonations", "Impersonations"],
    ["/health", "Health"],
    ["/dead-letters", "Dead letters"],
    ["/reconciliations", "Reconciliations"],
    ["/audit", "Audit"],
    ["/admins", "Super-admins"],
    ["/account", "Account"],
    ["/nowhere", "This page does not exist"],
] as const;

const THIRD = Math.ceil(PAGES.length / 3);

for (const part of [0, 1, 2]) {
    test(`each page can be opened by its URL and is accessible (${part + 1} of 3)`, async ({ page }) => {
        test.setTimeout(120_000);
        await open(page);
        for (const [path, title] of PAGES.slice(part * THIRD, (part + 1) * THIRD)) await expectPage(page, path, title);
    });
}

test("each page of a tenant can be opened by its URL and is accessible", async ({ page, landlord }) => {
    test.setTimeout(120_000);
    const tenant = await landlord.tenant();
    await open(page);
    for (const tab of ["", "/operations", "/users", "/impersonations", "/audit"]) await expectPage(page, `/tenants/${tenant.id}${tab}`, tenant.name);
});

test("the page for signing in is accessible", async ({ page }) => {
    await page.goto("/console");
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Landlord");
    await expectAccessible(page);
});

test("each page fits into a window of 360 px", async ({ page, landlord }) => {
    test.setTimeout(120_000);
    const tenant = await landlord.tenant();
    await page.setViewportSize({ width: 360, height: 740 });
    await open(page);
    for (const path of [...PAGES.map(([path]) => path), `/tenants/${tenant.id}`, `/tenants/${tenant.id}/users`]) {
        await navigate(page, path);
        await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
        await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
        expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(360);
    }
    // The pages are behind a button there.
    await page.getByRole("button", { name: "Menu" }).click();
    await page.getByRole("link", { name: "Health" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Health" })).toBeVisible();
    await expectAccessible(page);
});

test("filters are in the URL, and survive back and forward", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await open(page, `/tenants?search=${tenant.slug}`);
    await expect(page.getByLabel("Name or slug")).toHaveValue(tenant.slug);
    await expect(page.getByRole("link", { name: tenant.slug })).toBeVisible();
    await page.getByLabel("Status").selectOption("suspended");
    await expect(page.getByText("No tenant matches these filters")).toBeVisible();
    await expect(page).toHaveURL(/status=suspended/);
    await page.getByLabel("Status").selectOption("active");
    await expect(page.getByRole("link", { name: tenant.slug })).toBeVisible();
    await page.goBack();
    await expect(page.getByLabel("Status")).toHaveValue("suspended");
    await expect(page.getByText("No tenant matches these filters")).toBeVisible();
    await page.goForward();
    await expect(page.getByLabel("Status")).toHaveValue("active");
    await expect(page.getByRole("link", { name: tenant.slug })).toBeVisible();
});

test("a link that is followed while a search is typed leads to its page", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await open(page, "/tenants");
    const link = page.getByRole("link", { name: tenant.slug });
    await expect(link).toBeVisible();
    // The code of the next page comes later than the search would begin.
    await page.route("**/files/Tenant-*.js", async (route) => {
        await new Promise((resolve) => setTimeout(resolve, 600));
        await route.continue();
    });
    const field = await page.getByLabel("Name or slug").elementHandle();
    // Both at once, as a fast person does.
    await link.evaluate((element, input) => {
        Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(input, "kopi");
        input?.dispatchEvent(new Event("input", { bubbles: true }));
        (element as HTMLElement).click();
    }, field);
    await expect(page.getByRole("heading", { level: 1, name: tenant.name })).toBeVisible();
});

test("the palette finds pages, tenants and ids", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await open(page);
    await page.keyboard.press("Control+k");
    const field = page.getByRole("combobox", { name: "Page, act, tenant, or id" });
    await field.fill("audi");
    await field.press("Enter");
    await expect(page.getByRole("heading", { level: 1, name: "Audit" })).toBeVisible();
    await page.keyboard.press("Control+k");
    await field.fill(tenant.slug);
    await expect(page.getByRole("option").first()).toContainText(tenant.slug);
    await expectAccessible(page);
    await field.press("Enter");
    await expect(page.getByRole("heading", { level: 1, name: tenant.name })).toBeVisible();
    await page.keyboard.press("Control+k");
    await field.fill(tenant.id);
    await expect(page.getByRole("option")).toHaveCount(2);
});

test("a page shows its request as curl, without the token", async ({ page }) => {
    await open(page, "/tenants?status=active");
    await page.getByRole("button", { name: "Copy as curl" }).click();
    const command = page.getByLabel("Command", { exact: true });
    await expect(command).toContainText("/api/super-admin/tenants?status=active");
    await expect(command).toContainText("Bearer $TOKEN");
    await expect(command).not.toContainText("eyJ");
    await expectAccessible(page);
});

test("neither storage nor the URL contains the token", async ({ page }) => {
    await open(page, "/tenants");
    const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]));
    expect(stored).not.toContain("eyJ");
    await page.reload();
    await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
});

async function expectPage(page: Page, path: string, title: string): Promise<void> {
    await test.step(path, async () => {
        await navigate(page, path);
        await expect(page.getByRole("heading", { level: 1 })).toContainText(title);
        await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
        await expectAccessible(page);
    });
}

/** Goes to a path within the console, which keeps the session. */
async function navigate(page: Page, path: string): Promise<void> {
    await page.evaluate((to) => {
        history.pushState({}, "", `/console${to}`);
        window.dispatchEvent(new PopStateEvent("popstate"));
    }, path);
}
