// Sessions: continued silently while the console is open, and never longer than they may last. Only how long a token is said to be valid
// is replaced, and some answers fail; the tokens are real.

import type { Page, Request } from "@playwright/test";

import { expect, expectAccessible, open, test } from "./fixtures";

const TEXT = "Looks at why her inbox stays empty";

/** Replaces how long the first token is said to be valid, in seconds. */
async function shorten(page: Page, seconds: number): Promise<void> {
    await page.route(
        "**/api/super-admin/auth/login",
        async (route) => {
            const response = await route.fetch();
            await route.fulfill({ response, json: { ...(await response.json()), expires_in: seconds } });
        },
        { times: 1 },
    );
}

const isRefresh = (request: Request): boolean => request.url().endsWith("/auth/refresh");

const tokenOf = (request: Request): string => request.headers().authorization ?? "";

test("a session is continued with another token, once, and nothing typed is lost", async ({ page }) => {
    await shorten(page, 8);
    const refreshes: Request[] = [];
    const used = new Set<string>();
    page.on("request", (request) => {
        if (isRefresh(request)) refreshes.push(request);
        else if (request.url().includes("/api/super-admin/") && tokenOf(request)) used.add(tokenOf(request));
    });
    await open(page, "/tenants/new");
    await page.getByLabel("Name").fill(TEXT);
    const answer = await page.waitForResponse((response) => isRefresh(response.request()));
    expect(answer.status()).toBe(200);
    // The next token is valid for hours.
    await expect(page.getByText("Your session ends at")).toHaveCount(0);
    await page.evaluate(() => Promise.all([1, 2, 3].map(() => window.dispatchEvent(new Event("online")))));
    await page.waitForTimeout(6_000);
    await expect(page.getByLabel("Name")).toHaveValue(TEXT);
    await expect(page.getByRole("dialog")).toHaveCount(0);
    expect(refreshes).toHaveLength(1);
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Audit" }).click();
    await expect(page.getByRole("table", { name: "Audit log" })).toBeVisible();
    expect(used.size).toBeGreaterThan(1);
    expect([...used].at(-1)).not.toBe(tokenOf(refreshes[0] as Request));
    const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
    expect(stored).toBe('[{},{},""]');
});

test("a role that an owner has changed is shown with the next token", async ({ page, landlord }) => {
    const operator = await landlord.superAdmin("operator");
    await shorten(page, 30);
    const own = page.waitForResponse((response) => response.url().endsWith("/auth/session"));
    await open(page, "/reconciliations", operator);
    await expect(page.getByRole("button", { name: "Compare now" })).toBeVisible();
    const { id } = (await (await own).json()) as { id: string };
    await landlord.send("PATCH", `/admins/${id}`, { role: "viewer" });
    await expect(page.getByRole("link", { name: /^Account of .*, viewer$/ })).toBeVisible();
    await expect(page.getByRole("button", { name: "Compare now" })).toHaveCount(0);
});

test("a refresh that fails is tried again, and its failure is announced only near the end", async ({ page, expected }) => {
    expected.statuses = [503];
    await shorten(page, 14);
    const problem = { type: "/api/super-admin/problems/unavailable", title: "Temporarily unavailable", status: 503, detail: "Redis is temporarily unavailable" };
    await page.route("**/api/super-admin/auth/refresh", (route) => route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify(problem) }), { times: 2 });
    await open(page, "/tenants/new");
    await page.getByLabel("Name").fill(TEXT);
    await expect(page.getByText("because it could not be continued so far")).toBeVisible();
    await expectAccessible(page);
    await expect(page.getByText("Your session ends at")).toHaveCount(0, { timeout: 20_000 });
    await expect(page.getByLabel("Name")).toHaveValue(TEXT);
    await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("a session at its maximum age is announced, ends, and keeps what was typed", async ({ page, expected }) => {
    expected.statuses = [401];
    await shorten(page, 10);
    let refreshes = 0;
    await page.route("**/api/super-admin/auth/refresh", async (route) => {
        refreshes += 1;
        const response = await route.fetch();
        // No token is valid for longer than the session.
        await route.fulfill({ response, json: { ...(await response.json()), expires_in: 5 } });
    });
    await open(page, "/tenants/new");
    await page.getByLabel("Name").fill(TEXT);
    await expect(page.getByText("because it has reached its maximum age")).toBeVisible();
    const again = page.getByRole("dialog", { name: "Sign in again" });
    await expect(again.getByText("Your session has ended.")).toBeVisible();
    expect(refreshes).toBe(1);
    await again.getByLabel("Password").fill(process.env.FIRST_ADMIN_PASSWORD ?? "");
    await again.getByRole("button", { name: "Sign in" }).click();
    await expect(again).toHaveCount(0);
    await expect(page.getByLabel("Name")).toHaveValue(TEXT);
});

test("a password that is being typed is not lost when the session is continued meanwhile", async ({ page }) => {
    await shorten(page, 10);
    await open(page, "/audit");
    await page.getByRole("button", { name: "Sign in again now" }).click();
    const dialog = page.getByRole("dialog", { name: "Sign in again" });
    await dialog.getByLabel("Password").fill("half of a pass");
    await page.waitForResponse((response) => isRefresh(response.request()));
    await expect(page.getByText("Your session ends at")).toHaveCount(0);
    await expect(dialog.getByLabel("Password")).toHaveValue("half of a pass");
});
