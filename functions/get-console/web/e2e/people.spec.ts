import { type Account, expect, expectAccessible, open, owner, tabTo, test, unique } from "./fixtures";

test("a wrong password is said, and the right one then works", async ({ page, expected }) => {
    expected.statuses = [401];
    await page.goto("/console");
    await page.getByLabel("E-mail").fill(owner.email);
    await page.getByLabel("Password").fill("certainly-not-this-one");
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("alert")).toContainText("E-mail or password is wrong");
    await expectAccessible(page);
    await page.getByLabel("Password").fill(owner.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
    await page.getByRole("button", { name: "Sign out" }).click();
    await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
});

test("a temporary password must be replaced before anything else", async ({ page, landlord }) => {
    const account = await landlord.temporaryAdmin("operator");
    await page.goto("/console/tenants");
    await page.getByLabel("E-mail").fill(account.email);
    await page.getByLabel("Password").fill(account.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByLabel("New password", { exact: true }).fill("orbit-quiet-harbor-88");
    await page.getByLabel("New password again").fill("orbit-quiet-harbor-8");
    await expect(page.getByText("The two passwords differ")).toBeVisible();
    await page.getByLabel("New password again").fill("orbit-quiet-harbor-88");
    await expectAccessible(page);
    await page.getByRole("button", { name: "Set the password and sign in" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Tenants" })).toBeVisible();
});

test("a viewer sees no act, and is refused when it asks anyway", async ({ page, landlord, expected }) => {
    expected.statuses = [403];
    const tenant = await landlord.tenant();
    const viewer: Account = await landlord.superAdmin("viewer");
    await open(page, `/tenants/${tenant.id}`, viewer);
    await expect(page.getByRole("heading", { level: 1 })).toContainText(tenant.name);
    const acts = /^(Suspend|Edit name and limits|Create a tenant|Impersonate|Add a user|Edit|Redrive|Compare|End now|Add a super-admin)/;
    for (const path of ["Operations", "Users", "Impersonations"]) {
        await page.getByRole("navigation", { name: "Of this tenant" }).getByRole("link", { name: path }).click();
        await expect(page.getByRole("button", { name: acts })).toHaveCount(0);
    }
    for (const path of ["Tenants", "Super-admins", "Reconciliations", "Dead letters"]) {
        await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: path }).click();
        await expect(page.getByRole("heading", { level: 1, name: path })).toBeVisible();
        await expect(page.getByRole("button", { name: acts })).toHaveCount(0);
        await expect(page.getByRole("link", { name: acts })).toHaveCount(0);
    }
    await page.goto("about:blank");
    await open(page, "/tenants/new", viewer);
    await expect(page.getByText("Your role does not permit this")).toBeVisible();
    // The console's own request, as a viewer could send it.
    const status = await page.evaluate(async ([email, password]) => {
        const send = (path: string, data: unknown, headers = {}) => fetch(`/api/super-admin${path}`, { method: "POST", body: JSON.stringify(data), headers: { "content-type": "application/json", ...headers } });
        const { access_token } = (await (await send("/auth/login", { email, password })).json()) as { access_token: string };
        return (await send("/reconciliations", { dry_run: true }, { authorization: `Bearer ${access_token}` })).status;
    }, [viewer.email, viewer.password] as const);
    expect(status).toBe(403);
});

test("users of a tenant are found, added and changed", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    const email = `${unique("budi")}@example.com`;
    await open(page, `/tenants/${tenant.id}/users`);
    await page.getByRole("button", { name: "Add a user" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("E-mail").fill(email);
    await dialog.getByLabel("Full name").fill("Budi Santoso");
    await dialog.getByLabel("Temporary password").fill("quiet-lemon-harbor-17");
    await expectAccessible(page);
    await dialog.getByRole("button", { name: "Add the user" }).click();
    await expect(dialog).toHaveCount(0);
    await page.getByLabel("Name or e-mail").fill("budi");
    await expect(page.getByRole("cell", { name: email, exact: true })).toBeVisible();
    await expect(page).not.toHaveURL(/budi/);
    await page.getByRole("button", { name: `Edit ${email}` }).click();
    await dialog.getByLabel("Status").selectOption("deactivated");
    await expect(dialog.getByText("impersonations of the user end")).toBeVisible();
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(page.getByRole("row", { name: new RegExp(email) })).toContainText("Deactivated");
});

test("an impersonation is started, shown with its countdown, and ended", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await open(page, `/tenants/${tenant.id}/users`);
    await page.getByRole("button", { name: `Impersonate ${tenant.admin}` }).click();
    const dialog = page.getByRole("dialog", { name: `Impersonate ${tenant.admin}` });
    await dialog.getByLabel("Reason").fill("Looks at why her inbox stays empty");
    await dialog.getByLabel("Ticket").fill("SUP-17");
    await dialog.getByLabel("Minutes").fill("5");
    await expectAccessible(page);
    await dialog.getByRole("button", { name: "Start the impersonation" }).click();
    const panel = page.getByRole("dialog", { name: `You may act as ${tenant.admin}` });
    await expect(panel.getByRole("timer", { name: "Time left" })).toContainText("min");
    await expect(panel.getByText("Services refuse every change.")).toBeVisible();
    await expectAccessible(page);
    await panel.getByRole("link", { name: "All live impersonations" }).click();
    const row = page.getByRole("row", { name: new RegExp(tenant.admin) });
    await expect(row).toContainText("SUP-17");
    await row.getByRole("button", { name: "End now" }).click();
    await page.getByRole("dialog", { name: /^End the impersonation/ }).getByRole("button", { name: "End now" }).click();
    await expect(page.getByText("The impersonation has ended")).toBeVisible();
    await expect(row).toHaveCount(0);
    const all = await landlord.send<{ live: boolean; reason: string }[]>("GET", `/impersonations?tenant_id=${tenant.id}`);
    expect(all).toMatchObject([{ live: false, reason: "Looks at why her inbox stays empty" }]);
});

test("an impersonation is started with the keyboard alone", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await open(page, `/tenants/${tenant.id}/users`);
    await tabTo(page, "button", `Impersonate ${tenant.admin}`);
    await page.keyboard.press("Enter");
    await tabTo(page, "textbox", "Reason");
    await page.keyboard.type("Keyboard only, for the test");
    await tabTo(page, "button", "Start the impersonation");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("timer", { name: "Time left" })).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(page.getByRole("button", { name: `Impersonate ${tenant.admin}` })).toBeFocused();
});

test("a super-admin is added and disabled", async ({ page }) => {
    const email = `${unique("ada")}@example.com`;
    await open(page, "/admins");
    await page.getByRole("button", { name: "Add a super-admin" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("E-mail").fill(email);
    await dialog.getByLabel("Role").selectOption("operator");
    await dialog.getByLabel("Temporary password").fill("quiet-lemon-harbor-17");
    await expectAccessible(page);
    await dialog.getByRole("button", { name: "Add the super-admin" }).click();
    await page.getByRole("button", { name: `Edit ${email}` }).click();
    await dialog.getByLabel("Status").selectOption("disabled");
    await dialog.getByRole("button", { name: "Disable the super-admin" }).click();
    await expect(page.getByRole("row", { name: new RegExp(email) })).toContainText("Disabled");
});
