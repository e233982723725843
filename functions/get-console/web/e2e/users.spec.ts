// People: one of them in every tenant, and the erasure of their data.

import { type Api, type Schemas, type Tenant, expect, expectAccessible, open, test, unique } from "./fixtures";

type User = Schemas["User"];

/** A user of a tenant with a name that no other has. */
async function user(landlord: Api, tenant: Tenant, word: string, role: Schemas["AgentRole"] = "agent"): Promise<User> {
    return landlord.send<User>("POST", `/tenants/${tenant.id}/users`, { email: `${word}@example.com`, full_name: `Budi ${word}`, role, password: "quiet-lemon-harbor-17" });
}

/** Waits until the directory of all tenants contains a number of users with the word. */
async function expectInDirectory(landlord: Api, word: string, count: number): Promise<void> {
    await expect(async () => expect(await landlord.send<Schemas["FoundUser"][]>("GET", `/users/search?search=${word}`)).toHaveLength(count)).toPass({ timeout: 60_000 });
}

test("a person is found in every tenant, and each place leads to the tenant and to the user there", async ({ page, landlord }) => {
    const word = unique("person");
    const [first, second] = [await landlord.tenant(unique("first")), await landlord.tenant(unique("second"))];
    const [one] = [await user(landlord, first, word), await user(landlord, second, `${word}-two`, "supervisor")];
    await expectInDirectory(landlord, word, 2);
    await open(page, "/tenants");
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Users" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Users" })).toBeVisible();
    // Two characters are too few for a search.
    let searches = 0;
    page.on("request", (request) => {
        if (request.url().includes("/users/search")) searches += 1;
    });
    const field = page.getByLabel("Name or e-mail");
    await field.fill(word.slice(0, 2));
    await page.waitForTimeout(600);
    await expect(page.getByText("Type at least 3 characters of a name or an e-mail address")).toBeVisible();
    expect(searches).toBe(0);
    await field.fill(word);
    await expect(page.getByRole("row", { name: new RegExp(first.slug) })).toContainText(`${word}@example.com`);
    await expect(page.getByRole("row", { name: new RegExp(second.slug) })).toContainText("Supervisor");
    await expect(page.getByText("2 users")).toBeVisible();
    await expect(page).not.toHaveURL(new RegExp(word));
    await expectAccessible(page);
    await page.getByLabel("Role").selectOption("supervisor");
    await expect(page.getByRole("row", { name: new RegExp(first.slug) })).toHaveCount(0);
    await expect(page.getByRole("row", { name: new RegExp(second.slug) })).toBeVisible();
    await expect(page).toHaveURL(/role=supervisor/);
    await page.getByLabel("Role").selectOption("");
    await page.getByRole("link", { name: `Budi ${word}`, exact: true }).click();
    await expect(page.getByRole("heading", { level: 1 })).toContainText(first.name);
    await expect(page).toHaveURL(new RegExp(`/tenants/${first.id}/users\\?user=${one.id}$`));
    await expect(page.getByText("Only one user is shown.")).toBeVisible();
    await expect(page.getByRole("cell", { name: `${word}@example.com`, exact: true })).toBeVisible();
    await expect(page.getByRole("cell", { name: first.admin, exact: true })).toHaveCount(0);
    await page.getByRole("button", { name: "Show all users" }).click();
    await expect(page.getByRole("cell", { name: first.admin, exact: true })).toBeVisible();
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Users" }).click();
    // What was typed before is personal, and is not kept.
    await expect(field).toHaveValue("");
    await field.fill(word);
    await page.getByRole("row", { name: new RegExp(second.slug) }).getByRole("link", { name: second.slug }).click();
    await expect(page.getByRole("heading", { level: 1 })).toContainText(second.name);
});

test("people on later pages are read as the list goes on", async ({ page, landlord }) => {
    const word = unique("paged");
    const tenant = await landlord.tenant();
    for (const number of [1, 2, 3]) await user(landlord, tenant, `${word}-${number}`);
    await expectInDirectory(landlord, word, 3);
    await open(page, "/users");
    const pages: string[] = [];
    await page.route("**/api/super-admin/users/search?**", (route) => {
        const url = new URL(route.request().url());
        pages.push(url.searchParams.get("cursor") ?? "first");
        url.searchParams.set("limit", "1");
        return route.continue({ url: url.href });
    });
    await page.getByLabel("Name or e-mail").fill(word);
    for (const number of [1, 2, 3]) await expect(page.getByRole("cell", { name: `${word}-${number}@example.com`, exact: true })).toBeVisible();
    expect(new Set(pages).size).toBeGreaterThanOrEqual(3);
});

test("the palette finds a person", async ({ page, landlord }) => {
    const word = unique("palette");
    const tenant = await landlord.tenant();
    const found = await user(landlord, tenant, word);
    await expectInDirectory(landlord, word, 1);
    await open(page, "/tenants");
    await page.keyboard.press("Control+k");
    const field = page.getByRole("combobox", { name: "Page, action, tenant, user, or id" });
    await field.fill(word);
    await expect(page.getByRole("option", { name: new RegExp(`${word}@example.com.*user of ${tenant.slug}`) })).toBeVisible();
    await expectAccessible(page);
    await field.press("Enter");
    await expect(page).toHaveURL(new RegExp(`/tenants/${tenant.id}/users\\?user=${found.id}$`));
    await expect(page.getByRole("cell", { name: `${word}@example.com`, exact: true })).toBeVisible();
});

test("the data of a user are erased after a reason and the address, and then nothing else is offered", async ({ page, landlord }) => {
    const word = unique("gone");
    const tenant = await landlord.tenant();
    const { id, email } = await user(landlord, tenant, word);
    await open(page, `/tenants/${tenant.id}/users`);
    await page.getByRole("button", { name: `Erase ${email}` }).click();
    const dialog = page.getByRole("dialog", { name: `Erase ${email}` });
    const submit = dialog.getByRole("button", { name: "Erase the personal data" });
    await expect(dialog.getByText("Nobody can undo it")).toBeVisible();
    await expectAccessible(page);
    await dialog.getByLabel("Reason").fill("Request 2026-114 of the person");
    await dialog.getByLabel(`Type ${email} to confirm`).fill(tenant.admin);
    await expect(submit).toBeDisabled();
    await dialog.getByLabel(`Type ${email} to confirm`).fill(email);
    await dialog.getByRole("button", { name: "Copy as command" }).click();
    await expect(page.getByRole("region", { name: "Command for landlord" })).toContainText(new RegExp(`landlord tenants users erase ${tenant.id} ${id}.*--if-match`, "s"));
    await page.keyboard.press("Escape");
    const sent = page.waitForRequest((request) => request.url().endsWith(`/users/${id}/erase`));
    await submit.click();
    expect((await sent).headers()["if-match"]).toMatch(/^"\d+"$/);
    await expect(dialog).toHaveCount(0);
    const row = page.getByRole("row", { name: /Erased user/ });
    await expect(row.getByText("Erased", { exact: true })).toBeVisible();
    await expect(row.getByRole("button")).toHaveCount(0);
    // Neither the list nor a message repeats what was erased.
    await expect(page.getByText(word)).toHaveCount(0);
    await expectAccessible(page);
    const erased = await landlord.send<User>("GET", `/tenants/${tenant.id}/users/${id}`);
    expect(erased.erased_at).not.toBeNull();
    expect(JSON.stringify(erased)).not.toContain(word);
    // The other user still has all acts.
    for (const act of ["Edit", "Impersonate", "Erase"]) await expect(page.getByRole("button", { name: `${act} ${tenant.admin}` })).toBeVisible();
});

test("the last admin cannot be erased, and what was typed is kept", async ({ page, landlord, expected }) => {
    expected.statuses = [409];
    const tenant = await landlord.tenant();
    await open(page, `/tenants/${tenant.id}/users`);
    await page.getByRole("button", { name: `Erase ${tenant.admin}` }).click();
    const dialog = page.getByRole("dialog", { name: `Erase ${tenant.admin}` });
    await dialog.getByLabel("Reason").fill("Request 2026-115 of the person");
    await dialog.getByLabel(`Type ${tenant.admin} to confirm`).fill(tenant.admin);
    await dialog.getByRole("button", { name: "Erase the personal data" }).click();
    await expect(dialog.getByRole("alert")).toContainText(/last.*admin/i);
    await expect(dialog.getByLabel("Reason")).toHaveValue("Request 2026-115 of the person");
    const [admin] = await landlord.send<User[]>("GET", `/tenants/${tenant.id}/users`);
    expect(admin).toMatchObject({ email: tenant.admin, status: "active", erased_at: null });
});
