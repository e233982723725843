import type { Page } from "@playwright/test";

import { operations } from "../src/api/generated/operations";
import { type Schemas, type Tenant, expect, expectAccessible, expectLoaded, navigate, open, owner, tabTo, test, unique } from "./fixtures";

test("a wrong password is shown, and the right one then works", async ({ page, expected }) => {
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
    await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toHaveCount(0);
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
    await page.getByRole("button", { name: "Set the password and sign in" }).click();
    await expect(page.getByRole("button", { name: "Sign out" })).toHaveCount(0);
    await page.getByLabel("New password again").fill("orbit-quiet-harbor-88");
    await expectAccessible(page);
    await page.getByRole("button", { name: "Set the password and sign in" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Tenants" })).toBeVisible();
});

/** Where acts are offered, what shows that the page was read, and some of its acts. */
const OFFERS = (tenant: Tenant) =>
    [
        { path: `/tenants/${tenant.id}`, shown: { role: "region", name: "Usage and limits" }, acts: ["Suspend", "Delete", "Edit name and limits"] },
        { path: `/tenants/${tenant.id}/operations`, shown: { role: "list", name: "Steps" }, acts: [] },
        { path: `/tenants/${tenant.id}/users`, shown: { role: "cell", name: tenant.admin }, acts: ["Add a user", `Edit ${tenant.admin}`, `Impersonate ${tenant.admin}`, `Erase ${tenant.admin}`] },
        { path: `/tenants?search=${tenant.slug}`, shown: { role: "link", name: new RegExp(tenant.slug) }, acts: ["Create a tenant", `Select ${tenant.slug}`] },
        { path: "/impersonations?live=all", shown: { role: "cell", name: tenant.admin }, acts: ["End now"] },
        { path: "/users", shown: { role: "heading", name: "Users" }, acts: [] },
        { path: "/admins", shown: { role: "cell", name: owner.email }, acts: ["Add a super-admin"] },
        { path: "/reconciliations", shown: { role: "heading", name: "Reconciliations" }, acts: ["Compare now", "Compare and repair"] },
    ] as const;

/** The acts of a page that was read: buttons, links that look like buttons, and checkboxes. */
async function actsOf(page: Page, { path, shown }: ReturnType<typeof OFFERS>[number]): Promise<string[]> {
    await navigate(page, path);
    await expect(page.getByRole(shown.role, { name: shown.name }).first()).toBeVisible();
    await expectLoaded(page);
    return page.locator("#main").evaluate((main) => [...main.querySelectorAll("button, a.button, input[type=checkbox]")].map((element) => element.getAttribute("aria-label") ?? ((element instanceof HTMLInputElement && element.labels?.[0]) || element).textContent?.trim() ?? ""));
}

/** What a viewer may use: it changes nothing. */
const HARMLESS = /^(Copy|Save as CSV$|Country$|Agents$|Contacts$|Messages$|Storage$|Measured at$|Created$|Older operations$)/;

test("a viewer sees no act, where an owner sees them", async ({ page, landlord }) => {
    test.setTimeout(90_000);
    const tenant = await landlord.tenant();
    const [user] = await landlord.send<Schemas["User"][]>("GET", `/tenants/${tenant.id}/users`);
    await landlord.send("POST", "/impersonations", { tenant_id: tenant.id, user_id: user?.id, reason: "So that one can be ended", duration_minutes: 5 });
    const viewer = await landlord.superAdmin("viewer");
    await open(page);
    for (const offer of OFFERS(tenant)) {
        const acts = await actsOf(page, offer);
        for (const act of offer.acts) expect(acts.some((name) => name.startsWith(act)), `${act} for an owner at ${offer.path}, which has ${acts}`).toBe(true);
    }
    await page.getByRole("button", { name: "Sign out" }).click();
    await open(page, "", viewer);
    for (const offer of OFFERS(tenant)) {
        const acts = await actsOf(page, offer);
        expect(acts.filter((name) => !HARMLESS.test(name)), `for a viewer at ${offer.path}`).toEqual([]);
    }
    await navigate(page, "/tenants/new");
    await expect(page.getByText("Your role does not permit this")).toBeVisible();
    await expect(page.getByRole("button", { name: "Create the tenant" })).toHaveCount(0);
});

test("a viewer's request for any act is refused, and changes nothing", async ({ page, landlord, expected }) => {
    expected.statuses = [403];
    const tenant = await landlord.tenant();
    const viewer = await landlord.superAdmin("viewer");
    const before = await landlord.send<Schemas["Organization"]>("GET", `/tenants/${tenant.id}`);
    const guarded = Object.entries(operations).flatMap(([name, { role }]) => (role === "operator" || role === "owner" ? [name] : []));
    expect(guarded.length).toBeGreaterThan(10);
    await open(page, "", viewer);
    // As a script in the page could send them, with the token that the page got.
    const statuses = await page.evaluate(
        async ([{ email, password }, names, id]) => {
            const send = (method: string, path: string, data: unknown, headers = {}) => fetch(`/api/super-admin${path}`, { method, body: method === "DELETE" ? null : JSON.stringify(data), headers: { "content-type": "application/json", ...headers } });
            const { access_token } = (await (await send("POST", "/auth/login", { email, password })).json()) as { access_token: string };
            const found: Record<string, number> = {};
            for (const name of names) {
                const [method = "", path = ""] = name.split(" ");
                const target = path.replace(/\{[^}]+\}/g, id);
                const data = target === `/tenants/${id}` ? { status: "suspended" } : {};
                found[name] = (await send(method, target, data, { authorization: `Bearer ${access_token}` })).status;
            }
            return found;
        },
        [viewer, guarded, tenant.id] as const,
    );
    expect(statuses).toEqual(Object.fromEntries(guarded.map((name) => [name, 403])));
    expect(await landlord.send<Schemas["Organization"]>("GET", `/tenants/${tenant.id}`)).toEqual(before);
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
    await expect(page.getByRole("cell", { name: tenant.admin, exact: true })).toBeVisible();
    await page.getByLabel("Name or e-mail").fill("budi");
    await expect(page.getByRole("cell", { name: tenant.admin, exact: true })).toHaveCount(0);
    await expect(page.getByRole("cell", { name: email, exact: true })).toBeVisible();
    await expect(page).not.toHaveURL(/budi/);
    await page.getByRole("button", { name: `Edit ${email}` }).click();
    await dialog.getByLabel("Status").selectOption("deactivated");
    await expect(dialog.getByText("impersonations of the user end")).toBeVisible();
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(page.getByRole("row", { name: new RegExp(email) })).toContainText("Deactivated");
    const users = await landlord.send<Schemas["User"][]>("GET", `/tenants/${tenant.id}/users`);
    expect(users.find((user) => user.email === email)).toMatchObject({ status: "deactivated", full_name: "Budi Santoso" });
});

test("a user who was changed meanwhile is a conflict, and what was typed is kept", async ({ page, landlord, expected }) => {
    expected.statuses = [412];
    const tenant = await landlord.tenant();
    const [user] = await landlord.send<Schemas["User"][]>("GET", `/tenants/${tenant.id}/users`);
    await open(page, `/tenants/${tenant.id}/users`);
    await page.getByRole("button", { name: `Edit ${tenant.admin}` }).click();
    const dialog = page.getByRole("dialog", { name: `Edit ${tenant.admin}` });
    await dialog.getByLabel("Full name").fill("Sari Wulandari");
    await expect(dialog.getByRole("button", { name: "Save" })).toBeEnabled();
    await landlord.send("PATCH", `/tenants/${tenant.id}/users/${user?.id}`, { full_name: "Changed elsewhere" });
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(dialog.getByRole("alert")).toContainText("Look at the current state");
    await expect(dialog.getByLabel("Full name")).toHaveValue("Sari Wulandari");
    const nameNow = async () => (await landlord.send<Schemas["User"][]>("GET", `/tenants/${tenant.id}/users`))[0]?.full_name;
    expect(await nameNow()).toBe("Changed elsewhere");
    await dialog.getByRole("button", { name: "Use the current state" }).click();
    await expect(dialog.getByRole("alert")).toHaveCount(0);
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(dialog).toHaveCount(0);
    expect(await nameNow()).toBe("Sari Wulandari");
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
    const all = await landlord.send<Schemas["Impersonation"][]>("GET", `/impersonations?tenant_id=${tenant.id}`);
    expect(all).toMatchObject([{ live: false, reason: "Looks at why her inbox stays empty" }]);
});

test("the time left is right on a device whose clock is an hour fast", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await page.clock.install({ time: Date.now() + 3_600_000 });
    await open(page, `/tenants/${tenant.id}/users`);
    await page.getByRole("button", { name: `Impersonate ${tenant.admin}` }).click();
    const dialog = page.getByRole("dialog", { name: `Impersonate ${tenant.admin}` });
    await dialog.getByLabel("Reason").fill("The clock of this device is off");
    await dialog.getByLabel("Minutes").fill("9");
    await dialog.getByRole("button", { name: "Start the impersonation" }).click();
    await expect(page.getByRole("timer", { name: "Time left" })).toHaveText(/^(8 min \d+|9 min 0) s$/);
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

test("a super-admin is added, loses rights and is disabled", async ({ page, landlord }) => {
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
    await dialog.getByLabel("Role").selectOption("viewer");
    await expect(dialog.getByText("A lower role ends all impersonations of this super-admin at once.")).toBeVisible();
    await dialog.getByLabel("Status").selectOption("disabled");
    await expect(dialog.getByText("Every session is refused at once")).toBeVisible();
    await dialog.getByRole("button", { name: "Disable the super-admin" }).click();
    await expect(page.getByRole("row", { name: new RegExp(email) })).toContainText("Disabled");
    const admins = await landlord.send<Schemas["Operator"][]>("GET", "/admins");
    expect(admins.find((admin) => admin.email === email)).toMatchObject({ role: "viewer", status: "disabled" });
});

test("a super-admin of the identity provider has no password here", async ({ page, landlord }) => {
    const email = `${unique("eve")}@example.com`;
    await open(page, "/admins");
    await page.getByRole("button", { name: "Add a super-admin" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("E-mail").fill(email);
    await dialog.getByLabel("Signs in").selectOption("provider");
    await expect(dialog.getByLabel("Temporary password")).toHaveCount(0);
    await dialog.getByLabel("Subject").fill(unique("subject"));
    await dialog.getByRole("button", { name: "Add the super-admin" }).click();
    await page.getByRole("button", { name: `Edit ${email}` }).click();
    await expect(dialog.getByText("signs in at the identity provider, and has no password here")).toBeVisible();
    await expect(dialog.getByLabel("New temporary password")).toHaveCount(0);
    await expectAccessible(page);
    const admins = await landlord.send<Schemas["Operator"][]>("GET", "/admins");
    expect(admins.find((admin) => admin.email === email)?.subject).toMatch(/^subject-/);
});

test("signing out leaves nothing that was read", async ({ page, landlord }) => {
    const tenant = await landlord.tenant(unique("left"));
    const viewer = await landlord.superAdmin("viewer");
    await open(page, `/tenants/${tenant.id}`);
    await expect(page.getByRole("heading", { level: 1 })).toContainText(tenant.name);
    await page.getByRole("button", { name: "Sign out" }).click();
    // The next super-admin's first read is held back: until then, nothing of the previous one may be shown.
    let resume = () => {};
    const held = new Promise<void>((resolve) => (resume = resolve));
    await page.route(`**/api/super-admin/tenants/${tenant.id}?**`, async (route) => {
        await held;
        await route.continue();
    });
    await open(page, `/tenants/${tenant.id}`, viewer, { reload: false });
    await expect(page.getByRole("status", { name: "Loading" })).toBeVisible();
    await expect(page.getByText(tenant.name)).toHaveCount(0);
    resume();
    await expect(page.getByRole("heading", { level: 1 })).toContainText(tenant.name);
});
