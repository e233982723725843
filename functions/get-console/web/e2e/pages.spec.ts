import type { Page } from "@playwright/test";

import { type Schemas, type Api, type Tenant, expect, expectAccessible, expectFits, expectLoaded, navigate, open, test, unique } from "./fixtures";

/** The path and the title of each page, and a region or a button that only its content has. */
const PAGES = [
    ["", "Overview", "Needs attention"],
    ["/tenants", "Tenants", "Tenants"],
    ["/tenants/new", "Create a tenant", "Create the tenant"],
    ["/users", "Users", undefined],
    ["/operations", "Operations", "Operations"],
    ["/impersonations?live=all", "Impersonations", "Impersonations"],
    ["/health", "Health", "Stores and queues"],
    ["/dead-letters", "Dead letters", undefined],
    ["/reconciliations", "Reconciliations", "Compare now"],
    ["/clusters", "Clusters", "Clusters"],
    ["/audit", "Audit", "Audit log"],
    ["/admins", "Super-admins", "Super-admins"],
    ["/settings", "Settings", "Versions"],
    ["/account", "Account", "Change your password"],
    ["/nowhere", "This page does not exist", undefined],
] as const;

/** The tabs of a tenant, and what only the content of each has. */
const TABS = [
    ["", "Overview", "region", "Usage and limits"],
    ["/operations", "Operations", "list", "Steps"],
    ["/exports", "Exports", "button", "Export"],
    ["/users", "Users", "region", "Users"],
    ["/impersonations", "Impersonations", "region", "Impersonations"],
    ["/audit", "Audit", "region", "Audit log"],
] as const;

const THIRD = Math.ceil(PAGES.length / 3);

for (const part of [0, 1, 2]) {
    test(`each page can be opened by its URL and is accessible (${part + 1} of 3)`, async ({ page, landlord }) => {
        test.setTimeout(120_000);
        const pages = PAGES.slice(part * THIRD, (part + 1) * THIRD);
        // The API limits how many impersonations an owner starts in a minute.
        if (pages.some(([, title]) => title === "Impersonations")) await impersonated(landlord);
        await open(page);
        for (const [path, title, content] of pages) {
            await test.step(path, async () => {
                await navigate(page, path);
                await expect(page.getByRole("heading", { level: 1 })).toContainText(title);
                if (content) await expect(page.getByRole("region", { name: content, exact: true }).or(page.getByRole("button", { name: content, exact: true })).first()).toBeVisible();
                await expectWhole(page);
            });
        }
    });
}

test("each page of a tenant can be opened by its URL and is accessible", async ({ page, landlord }) => {
    test.setTimeout(120_000);
    const tenant = await impersonated(landlord);
    await open(page);
    for (const [tab, name, role, content] of TABS) {
        await test.step(name, async () => {
            await navigate(page, `/tenants/${tenant.id}${tab}`);
            await expect(page.getByRole("navigation", { name: "Sections of this tenant" }).getByRole("link", { name })).toHaveAttribute("aria-current", "page");
            await expect(page.getByRole("heading", { level: 1 })).toContainText(tenant.name);
            await expect(page.getByRole(role, { name: content, exact: true }).first()).toBeVisible();
            await expectWhole(page);
        });
    }
});

test("the page for signing in is accessible", async ({ page }) => {
    await page.goto("/console");
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Landlord");
    await expectAccessible(page);
});

test("each page fits into a window of 360 px", async ({ page, landlord }) => {
    test.setTimeout(120_000);
    const tenant = await landlord.tenant(unique("narrow"));
    await page.setViewportSize({ width: 360, height: 740 });
    await open(page);
    const all = [...PAGES.map(([path, title]) => [path, title] as const), ...TABS.map(([tab]) => [`/tenants/${tenant.id}${tab}`, tenant.name] as const)];
    for (const [path, title] of all) {
        await navigate(page, path);
        await expect(page.getByRole("heading", { level: 1 })).toContainText(title);
        await expectLoaded(page);
        await expectFits(page);
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
    // The search, whose time has come meanwhile, must not lead back.
    await page.waitForTimeout(500);
    await expect(page).toHaveURL(new RegExp(`/tenants/${tenant.id}$`));
    await expect(page.getByRole("heading", { level: 1, name: tenant.name })).toBeVisible();
});

test("characters that are typed while a search takes effect are kept", async ({ page }) => {
    await open(page, "/tenants");
    const field = page.getByLabel("Name or slug");
    // The worst moment: the URL has the search, and the page does not yet.
    await field.evaluate((input) => {
        const replace = history.replaceState.bind(history);
        history.replaceState = (...change) => {
            replace(...change);
            if (!location.search.includes("search=") || (input as HTMLInputElement).value.endsWith("!")) return;
            Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(input, `${(input as HTMLInputElement).value}!`);
            input.dispatchEvent(new Event("input", { bubbles: true }));
        };
    });
    await field.pressSequentially("a slow search", { delay: 20 });
    await expect(page).toHaveURL(/slow(%20|\+)search(!|%21)/);
    await expect(field).toHaveValue("a slow search!");
    await field.fill("x".repeat(130));
    await expect(field).toHaveValue("x".repeat(120));
});

test("the next page of a list that could not be read is read on request", async ({ page, expected }) => {
    expected.statuses = [500];
    await open(page, "/audit");
    // Every list ends after two entries, and its next page fails at first.
    let failing = true;
    await page.route("**/api/super-admin/audit?**", async (route) => {
        const url = new URL(route.request().url());
        if (url.searchParams.has("cursor") && failing) {
            const problem = { type: "/api/super-admin/problems/internal", title: "Internal error", status: 500, detail: "The test replaced this answer" };
            return route.fulfill({ status: 500, contentType: "application/problem+json", body: JSON.stringify(problem) });
        }
        url.searchParams.set("limit", "2");
        return route.continue({ url: url.href });
    });
    await page.getByLabel("Outcome").selectOption("done");
    const alert = page.getByRole("alert");
    await expect(alert).toContainText("The test replaced this answer");
    // The first page is still shown and read again, without hiding the failure.
    await page.waitForTimeout(4_500);
    await expect(alert).toBeVisible();
    await expect(page.getByRole("table", { name: "Audit log" })).toBeVisible();
    failing = false;
    await page.getByRole("button", { name: "Read the next page again" }).click();
    await expect(alert).toHaveCount(0);
    await expect(page.getByText(/rows after the first 2 as of/)).toBeVisible();
});

test("the palette finds pages, tenants and ids", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await open(page);
    await page.keyboard.press("Control+k");
    const field = page.getByRole("combobox", { name: "Page, action, tenant, user, or id" });
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

test("the palette finds nothing only after it has searched", async ({ page }) => {
    await open(page);
    let resume = () => {};
    const held = new Promise<void>((resolve) => (resume = resolve));
    await page.route("**/api/super-admin/tenants?search=**", async (route) => {
        await held;
        await route.continue();
    });
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Page, action, tenant, user, or id" }).fill(unique("absent"));
    await expect(page.getByText("Searching…")).toBeVisible();
    await page.waitForTimeout(400);
    await expect(page.getByText("Nothing found")).toHaveCount(0);
    resume();
    await expect(page.getByText("Nothing found")).toBeVisible();
    await expect(page.getByText("Searching…")).toHaveCount(0);
});

test("a page and an act show their requests as commands, without the token and passwords", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await open(page, "/tenants?status=active");
    await page.getByRole("button", { name: "Copy as command" }).click();
    const curl = page.getByRole("region", { name: "Command for curl" });
    const command = page.getByRole("region", { name: "Command for landlord" });
    await expect(curl).toContainText("/api/super-admin/tenants?status=active");
    await expect(curl).toContainText("Bearer $TOKEN");
    await expect(curl).not.toContainText("eyJ");
    await expect(command).toContainText("landlord tenants list");
    await expect(command).toContainText("--status active");
    await expectAccessible(page);
    await page.keyboard.press("Escape");
    await expect(curl).toHaveCount(0);
    await navigate(page, `/tenants/${tenant.id}`);
    await page.getByRole("button", { name: "Suspend" }).click();
    const dialog = page.getByRole("dialog", { name: `Suspend ${tenant.slug}` });
    await dialog.getByLabel(`Type ${tenant.slug} to confirm`).fill(tenant.slug);
    await expect(dialog.getByRole("button", { name: "Suspend" })).toBeEnabled();
    await dialog.getByRole("button", { name: "Copy as command" }).click();
    await expect(curl).toContainText(/if-match: "\d+"/);
    await expect(command).toContainText(new RegExp(`landlord tenants update ${tenant.id}.*--if-match \\d+.*--status suspended`, "s"));
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await navigate(page, "/tenants/new");
    await page.getByLabel("Temporary password").fill("quiet-lemon-harbor-17");
    await page.getByRole("button", { name: "Copy as command" }).click();
    await expect(command).toContainText("--admin-password-file FILE");
    await expect(command).not.toContainText("quiet-lemon");
    await expect(curl).not.toContainText("quiet-lemon");
});

test("neither storage nor the URL contains the token", async ({ page }) => {
    const sent = page.waitForRequest((request) => request.url().includes("/api/super-admin/tenants") && request.headers().authorization !== undefined);
    await open(page, "/tenants");
    const token = ((await sent).headers().authorization ?? "").replace("Bearer ", "");
    expect(token.split(".")).toHaveLength(3);
    const stored = await page.evaluate(async () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, history.state, await indexedDB.databases(), await caches.keys(), window.name]));
    expect(stored).not.toContain(token.slice(0, 20));
    expect(JSON.parse(stored).slice(0, 3)).toEqual([{}, {}, ""]);
    await page.reload();
    await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
});

/** A tenant with an impersonation, so that lists of them are not empty. */
async function impersonated(landlord: Api): Promise<Tenant> {
    const tenant = await landlord.tenant();
    const [user] = await landlord.send<Schemas["User"][]>("GET", `/tenants/${tenant.id}/users`);
    await landlord.send("POST", "/impersonations", { tenant_id: tenant.id, user_id: user?.id, reason: "So that the list has an entry", duration_minutes: 1 });
    return tenant;
}

/** Fails unless everything on the page was read without a problem, and is accessible. */
async function expectWhole(page: Page): Promise<void> {
    await expectLoaded(page);
    await expect(page.getByRole("alert")).toHaveCount(0);
    await expectAccessible(page);
}
