// A lost network, an ended session and refusals in mid-flow: each is shown as what it is, and no typed text is lost. The browser cuts the
// connection or replaces one answer; everything else is real.

import { type Schemas, expect, expectAccessible, open, owner, test } from "./fixtures";

const REASON = "Looks at why her inbox stays empty";

test("a lost network is shown, and the same request can be sent again", async ({ page, landlord, context, expected }) => {
    expected.statuses = [0];
    const tenant = await landlord.tenant();
    await open(page, `/tenants/${tenant.id}`);
    await page.getByRole("button", { name: "Edit name and limits" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Agents").fill("44");
    await context.setOffline(true);
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(dialog.getByRole("alert")).toContainText("This device has no network connection");
    await expect(dialog.getByLabel("Agents")).toHaveValue("44");
    await expectAccessible(page);
    await context.setOffline(false);
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(dialog).toHaveCount(0);
    await expect(page.getByRole("region", { name: "Usage and limits" })).toContainText("/ 44");
});

test("an ended session asks for the password, and keeps the page", async ({ page, landlord, expected }) => {
    expected.statuses = [401];
    const tenant = await landlord.tenant();
    const operator = await landlord.superAdmin("operator");
    await open(page, `/tenants/${tenant.id}/users`, operator);
    await page.getByRole("button", { name: `Impersonate ${tenant.admin}` }).click();
    const dialog = page.getByRole("dialog", { name: `Impersonate ${tenant.admin}` });
    await dialog.getByLabel("Reason").fill(REASON);
    // A new password ends all sessions.
    const admins = await landlord.send<Schemas["Operator"][]>("GET", "/admins");
    const { id } = admins.find(({ email }) => email === operator.email) ?? { id: "" };
    await landlord.send("PATCH", `/admins/${id}`, { password: "harbor-lemon-quiet-71" });
    await dialog.getByRole("button", { name: "Start the impersonation" }).click();
    const again = page.getByRole("dialog", { name: "Sign in again" });
    await again.getByLabel("Password").fill("harbor-lemon-quiet-71");
    await again.getByRole("button", { name: "Sign in" }).click();
    await again.getByLabel("New password", { exact: true }).fill("orbit-quiet-harbor-88");
    await again.getByLabel("New password again").fill("orbit-quiet-harbor-88");
    await again.getByRole("button", { name: "Set the password and sign in" }).click();
    await expect(again).toHaveCount(0);
    await expect(dialog.getByLabel("Reason")).toHaveValue(REASON);
    await dialog.getByRole("button", { name: "Start the impersonation" }).click();
    await expect(page.getByRole("timer", { name: "Time left" })).toBeVisible();
});

test("the end of a session is announced two minutes before, and signing in again keeps the page", async ({ page }) => {
    // Only how long the token is said to be valid is replaced.
    await page.route(
        "**/api/super-admin/auth/login",
        async (route) => {
            const response = await route.fetch();
            await route.fulfill({ response, json: { ...(await response.json()), expires_in: 110 } });
        },
        { times: 1 },
    );
    await open(page, "/tenants?status=active");
    await expect(page.getByText("Your session ends at")).toBeVisible();
    await page.getByRole("button", { name: "Sign in again now" }).click();
    const dialog = page.getByRole("dialog", { name: "Sign in again" });
    await expect(dialog.getByLabel("E-mail")).toHaveValue(owner.email);
    await expectAccessible(page);
    await dialog.getByLabel("Password").fill(owner.password);
    await dialog.getByRole("button", { name: "Sign in" }).click();
    await expect(dialog).toHaveCount(0);
    await expect(page.getByText("Your session ends at")).toHaveCount(0);
    await expect(page).toHaveURL(/status=active/);
});

for (const [status, headers, text] of [
    [429, { "retry-after": "7" }, "Try again in 7 s."],
    [503, {}, "A store that this needs is down."],
] as const) {
    test(`an answer ${status} is shown, and loses nothing`, async ({ page, landlord, expected }) => {
        expected.statuses = [status];
        const tenant = await landlord.tenant();
        await open(page, `/tenants/${tenant.id}/users`);
        await page.getByRole("button", { name: `Impersonate ${tenant.admin}` }).click();
        const dialog = page.getByRole("dialog", { name: `Impersonate ${tenant.admin}` });
        await dialog.getByLabel("Reason").fill(REASON);
        const problem = { type: "/api/super-admin/problems/unavailable", title: "Refused by the test", status, detail: "The test replaced this answer" };
        await page.route("**/api/super-admin/impersonations", (route) => route.fulfill({ status, headers, contentType: "application/problem+json", body: JSON.stringify(problem) }), { times: 1 });
        await dialog.getByRole("button", { name: "Start the impersonation" }).click();
        await expect(dialog.getByRole("alert")).toContainText(text);
        await expect(dialog.getByLabel("Reason")).toHaveValue(REASON);
        await expectAccessible(page);
        await dialog.getByRole("button", { name: "Start the impersonation" }).click();
        await expect(page.getByRole("timer", { name: "Time left" })).toBeVisible();
    });
}

test("figures that cannot be read again stay, and are marked as old", async ({ page, expected }) => {
    expected.statuses = [503];
    await open(page, "/audit");
    await expect(page.getByRole("table", { name: "Audit log" })).toBeVisible();
    const problem = { type: "/api/super-admin/problems/unavailable", title: "Temporarily unavailable", status: 503, detail: "PostgreSQL is temporarily unavailable" };
    await page.route("**/api/super-admin/audit?**", (route) => route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify(problem) }));
    await expect(page.getByText("Old figures.")).toBeVisible({ timeout: 20_000 });
    await expect(page.getByRole("table", { name: "Audit log" })).toBeVisible();
    await expectAccessible(page);
    const again = page.waitForRequest("**/api/super-admin/audit?**");
    await page.getByRole("button", { name: "Try again" }).click();
    await again;
    await page.unroute("**/api/super-admin/audit?**");
    await expect(page.getByText("Old figures.")).toHaveCount(0);
});

for (const [state, isAbandonable] of [
    [{ kind: "provision", status: "running" }, true],
    [{ kind: "provision", status: "undoing" }, false],
    [{ kind: "cleanup", status: "running" }, false],
    [{ kind: "suspend", status: "pending" }, false],
    [{ kind: "resume", status: "running" }, false],
    [{ kind: "purge", status: "running" }, false],
    [{ kind: "export", status: "running" }, true],
    [{ kind: "promote", status: "running" }, false],
] as const) {
    test(`an operation that is ${state.status}, of the kind ${state.kind}, ${isAbandonable ? "can" : "cannot"} be abandoned`, async ({ page, landlord }) => {
        const tenant = await landlord.tenant();
        const [operation] = await landlord.send<Schemas["Operation"][]>("GET", `/tenants/${tenant.id}/operations`);
        // Only its state is replaced, because it passes too quickly.
        await page.route(`**/api/super-admin/operations/${operation?.id}`, (route) => route.fulfill({ json: { ...operation, ...state, finished_at: null }, headers: { etag: '"1"' } }));
        await open(page, `/operations/${operation?.id}`);
        await expect(page.getByRole("button", { name: "Try now" })).toBeVisible();
        await expect(page.getByRole("button", { name: "Abandon" })).toHaveCount(isAbandonable ? 1 : 0);
    });
}

test("an unknown tenant is shown to be unknown", async ({ page, expected }) => {
    expected.statuses = [404];
    await open(page, "/tenants/01900000-0000-7000-8000-000000000000", owner);
    await expect(page.getByRole("alert")).toContainText("Go back to the list");
    await expectAccessible(page);
});
