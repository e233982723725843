import { readFileSync } from "node:fs";

import { type Schemas, expect, expectAccessible, expectFits, navigate, open, tabTo, test, unique } from "./fixtures";

test("a tenant is created with live steps", async ({ page, landlord }) => {
    const slug = unique("toko");
    await open(page, "/tenants");
    await page.getByRole("link", { name: "Create a tenant" }).click();
    // The list has a field whose label begins with the same word.
    await expect(page.getByRole("heading", { level: 1, name: "Create a tenant" })).toBeVisible();
    await page.getByLabel("Name").fill("Toko Buku “Merdeka” <b>");
    await expect(page.getByLabel("Slug")).toHaveValue("toko-buku-merdeka-b");
    await page.getByLabel("Slug").fill(slug);
    await page.getByLabel("Agents").fill("12");
    await page.getByLabel("Contacts").fill("unlimited");
    await expect(page.getByLabel("When a limit is reached")).toHaveAccessibleDescription(/nothing else happens/);
    await page.getByLabel("When a limit is reached").selectOption("block_new");
    await expect(page.getByLabel("When a limit is reached")).toHaveAccessibleDescription(/refuse new contacts and messages/);
    await page.getByLabel("E-mail").fill("budi@example.com");
    await page.getByLabel("Temporary password").fill("quiet-lemon-harbor-17");
    await page.getByRole("button", { name: "Create the tenant" }).click();
    await expect(page.getByRole("list", { name: "Steps" })).toBeVisible();
    await expect(page.getByText("All steps succeeded.")).toBeVisible({ timeout: 30_000 });
    await expectAccessible(page);
    await page.getByRole("link", { name: "Open the tenant" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Toko Buku “Merdeka” <b>");
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Active");
    await expect(page.getByRole("region", { name: "Usage and limits" })).toContainText("/ 12");
    const [created] = await landlord.send<Schemas["Organization"][]>("GET", `/tenants?search=${slug}`);
    expect(created).toMatchObject({ name: "Toko Buku “Merdeka” <b>", status: "active", limits: { max_agents: 12, max_contacts: null }, on_limit: "block_new" });
});

test("what is wrong with a new tenant is shown at its field, and nothing typed is lost", async ({ page, landlord, expected }) => {
    expected.statuses = [409, 422];
    const { slug } = await landlord.tenant();
    await open(page, "/tenants/new");
    await page.getByLabel("Name").fill("Kopi");
    await page.getByLabel("Slug").fill(slug);
    await page.getByLabel("E-mail").fill("budi@example.com");
    await page.getByLabel("Temporary password").fill("password1234");
    await page.getByRole("button", { name: "Create the tenant" }).click();
    await expect(page.getByLabel("Temporary password")).toHaveAttribute("aria-invalid", "true");
    await page.getByLabel("Temporary password").fill("quiet-lemon-harbor-17");
    await page.getByRole("button", { name: "Create the tenant" }).click();
    await expect(page.getByLabel("Slug")).toHaveAttribute("aria-invalid", "true");
    await expect(page.getByLabel("Slug")).toHaveAccessibleDescription(/taken|another tenant/i);
    for (const [field, value] of [["Name", "Kopi"], ["Slug", slug], ["E-mail", "budi@example.com"], ["Temporary password", "quiet-lemon-harbor-17"]] as const) {
        await expect(page.getByLabel(field)).toHaveValue(value);
    }
});

test("a conflict that is not about the slug is not shown at the slug", async ({ page, expected }) => {
    expected.statuses = [409];
    await open(page, "/tenants/new");
    await page.getByLabel("Name").fill("Kopi");
    await page.getByLabel("E-mail").fill("budi@example.com");
    await page.getByLabel("Temporary password").fill("quiet-lemon-harbor-17");
    const problem = { type: "/api/super-admin/problems/request-in-progress", title: "Request in progress", status: 409, detail: "The test replaced this answer" };
    await page.route("**/api/super-admin/tenants", (route) => route.fulfill({ status: 409, contentType: "application/problem+json", body: JSON.stringify(problem) }), { times: 1 });
    await page.getByRole("button", { name: "Create the tenant" }).click();
    await expect(page.getByRole("alert")).toContainText("The test replaced this answer");
    await expect(page.getByLabel("Slug")).not.toHaveAttribute("aria-invalid", "true");
});

test("suspending explains itself, needs the slug, and can be undone", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await open(page, `/tenants/${tenant.id}`);
    await page.getByRole("button", { name: "Suspend" }).click();
    const dialog = page.getByRole("dialog", { name: `Suspend ${tenant.slug}` });
    await expect(dialog.getByText("Live impersonations in it end at once.")).toBeVisible();
    await expect(dialog.getByRole("button", { name: "Suspend" })).toBeDisabled();
    await expectAccessible(page);
    await dialog.getByLabel(`Type ${tenant.slug} to confirm`).fill(tenant.slug);
    // Without a reason, the browser does not send the form.
    await dialog.getByRole("button", { name: "Suspend" }).click();
    await expect(dialog.getByLabel("Reason")).toBeFocused();
    await dialog.getByLabel("Reason").selectOption("unpaid");
    await dialog.getByLabel("Comment").fill("Three invoices are overdue");
    await dialog.getByRole("button", { name: "Suspend" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Suspended");
    const suspended = await landlord.send<Schemas["Organization"]>("GET", `/tenants/${tenant.id}`);
    expect(suspended).toMatchObject({ status: "suspended", suspension: { reason: "unpaid", comment: "Three invoices are overdue" } });
    const why = page.getByRole("region", { name: "Suspension" });
    await expect(why).toContainText("Unpaid invoices");
    await expect(why).toContainText("Three invoices are overdue");
    // No service of the platform runs here that would confirm it.
    await expect(why).toContainText(/Not confirmed by.*WebSocket server/);
    await expectAccessible(page);
    await page.getByRole("button", { name: "Reactivate" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Reactivate" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Active");
    await expect(why).toHaveCount(0);
    await page.getByRole("link", { name: "Audit" }).last().click();
    await page.getByRole("button", { name: "tenant.update" }).first().click();
    await expect(page.getByRole("dialog").getByRole("row", { name: /status suspended active/ })).toBeVisible();
});

test("a conflict of two edits is shown as a difference of three, and loses nothing", async ({ page, landlord, expected }) => {
    expected.statuses = [412];
    const tenant = await landlord.tenant();
    await open(page, `/tenants/${tenant.id}`);
    await page.getByRole("button", { name: "Edit name and limits" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Agents").fill("40");
    // Somebody else changes another field and the same one.
    await landlord.send("PATCH", `/tenants/${tenant.id}`, { limits: { max_agents: 30, max_contacts: 2000 }, on_limit: "block_new" });
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(dialog.getByRole("row", { name: "Agents 25 30 40" })).toBeVisible();
    await expect(dialog.getByRole("row", { name: "Contacts 1,000 2,000 1,000" })).toBeVisible();
    await expect(dialog.getByRole("row", { name: "When a limit is reached Notify Block new Notify" })).toBeVisible();
    await expectAccessible(page);
    await dialog.getByRole("button", { name: "Keep mine where both changed" }).click();
    await expect(dialog.getByLabel("Agents")).toHaveValue("40");
    await expect(dialog.getByLabel("Contacts")).toHaveValue("2000");
    await expect(dialog.getByLabel("When a limit is reached")).toHaveValue("block_new");
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(dialog).toHaveCount(0);
    const saved = await landlord.send<Schemas["Organization"]>("GET", `/tenants/${tenant.id}`);
    expect(saved).toMatchObject({ limits: { max_agents: 40, max_contacts: 2000 }, on_limit: "block_new" });
    await expect(page.getByRole("region", { name: "Usage and limits" })).toContainText("When a limit is reached: Block new.");
});

test("a change made elsewhere is shown within 5 s", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await open(page, `/tenants/${tenant.id}`);
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Active");
    await landlord.send("PATCH", `/tenants/${tenant.id}`, { status: "suspended" });
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Suspended", { timeout: 5_000 });
});

test("several tenants are changed at once, with a preview and a result for each", async ({ page, landlord }) => {
    const word = unique("bulk");
    const [first, second] = [await landlord.tenant(`${word} one`), await landlord.tenant(`${word} two`)];
    await landlord.send("PATCH", `/tenants/${second.id}`, { status: "suspended" });
    await open(page, `/tenants?search=${word}`);
    // A choice with the keyboard keeps the focus, so that the next key continues from there.
    await page.getByLabel(`Select ${first.slug}`).focus();
    await page.keyboard.press("Space");
    await expect(page.getByLabel(`Select ${first.slug}`)).toBeChecked();
    await expect(page.getByLabel(`Select ${first.slug}`)).toBeFocused();
    await page.getByLabel(`Select ${second.slug}`).check();
    await page.getByRole("button", { name: "Suspend…" }).click();
    const dialog = page.getByRole("dialog", { name: "Suspend tenants" });
    await expect(dialog.getByRole("row", { name: /one.*active → suspended/ })).toBeVisible();
    await expect(dialog.getByRole("row", { name: /two.*stays suspended/ })).toBeVisible();
    await expectAccessible(page);
    await expect(dialog.getByRole("button", { name: "Suspend 1 of 2" })).toBeDisabled();
    await dialog.getByLabel("Reason").selectOption("abuse");
    await dialog.getByLabel("Comment").fill("Spam from several numbers");
    await dialog.getByLabel("Type 1, the number of tenants, to confirm").fill("1");
    await dialog.getByRole("button", { name: "Suspend 1 of 2" }).click();
    await expect(dialog.getByRole("row", { name: /one.*active → suspended.*Changed/ })).toBeVisible();
    await expect(dialog.getByRole("row", { name: /two.*stays suspended/ })).toBeVisible();
    expect(await landlord.send<Schemas["Organization"]>("GET", `/tenants/${first.id}`)).toMatchObject({ status: "suspended", suspension: { reason: "abuse", comment: "Spam from several numbers" } });
    await dialog.getByRole("button", { name: "Close", exact: true }).last().click();
    // The list shows the change at once, and the tenants stay chosen.
    await expect(page.getByRole("row", { name: new RegExp(first.slug) })).toContainText("Suspended");
});

test("a limit with a typing error is refused at its field, and changes nothing", async ({ page, landlord }) => {
    const tenant = await landlord.tenant(unique("typo"));
    await open(page, `/tenants?search=${tenant.slug}`);
    await page.getByLabel(`Select ${tenant.slug}`).check();
    await page.getByRole("button", { name: "Change limits…" }).click();
    const dialog = page.getByRole("dialog", { name: "Change limits of tenants" });
    const field = dialog.getByLabel("Agents");
    for (const text of ["unlimted", "12x", "-1", "1.5"]) {
        await field.fill(text);
        await expect(field).toHaveAttribute("aria-invalid", "true");
        await expect(dialog.getByText("Type a whole number, or the word unlimited")).toBeVisible();
        await expect(dialog.getByRole("button", { name: /^Change \d of 1/ })).toBeDisabled();
    }
    await expectAccessible(page);
    const agents = async () => (await landlord.send<Schemas["Organization"]>("GET", `/tenants/${tenant.id}`)).limits.max_agents;
    expect(await agents()).toBe(25);
    await field.fill("unlimited");
    await dialog.getByLabel("When a limit is reached").selectOption("block_new");
    await expect(dialog.getByRole("row", { name: /agents 25 → unlimited, at a limit notify → block new/ })).toBeVisible();
    await dialog.getByRole("button", { name: "Change 1 of 1" }).click();
    await expect(dialog.getByRole("row", { name: /Changed/ })).toBeVisible();
    expect(await agents()).toBeNull();
    expect((await landlord.send<Schemas["Organization"]>("GET", `/tenants/${tenant.id}`)).on_limit).toBe("block_new");
});

test("a tenant that has changed since the preview is a conflict, and is changed only after a new preview", async ({ page, landlord }) => {
    const tenant = await landlord.tenant(unique("conflict"));
    await open(page, `/tenants?search=${tenant.slug}`);
    await page.getByLabel(`Select ${tenant.slug}`).check();
    await page.getByRole("button", { name: "Change limits…" }).click();
    const dialog = page.getByRole("dialog", { name: "Change limits of tenants" });
    await dialog.getByLabel("Agents").fill("40");
    await expect(dialog.getByRole("row", { name: /agents 25 → 40/ })).toBeVisible();
    await landlord.send("PATCH", `/tenants/${tenant.id}`, { limits: { max_agents: 30 } });
    const agents = async () => (await landlord.send<Schemas["Organization"]>("GET", `/tenants/${tenant.id}`)).limits.max_agents;
    await dialog.getByRole("button", { name: "Change 1 of 1" }).click();
    await expect(dialog.getByRole("row", { name: /agents 30 → 40.*Conflict/ })).toBeVisible();
    expect(await agents()).toBe(30);
    await dialog.getByRole("button", { name: "Change 1 of 1" }).click();
    await expect(dialog.getByRole("row", { name: /Changed/ })).toBeVisible();
    expect(await agents()).toBe(40);
});

test("a bulk change can be stopped between two tenants, and cannot be closed before", async ({ page, landlord }) => {
    const word = unique("stop");
    const tenants = [await landlord.tenant(`${word} one`), await landlord.tenant(`${word} two`), await landlord.tenant(`${word} three`)];
    await open(page, `/tenants?search=${word}`);
    for (const { slug } of tenants) await page.getByLabel(`Select ${slug}`).check();
    await page.getByRole("button", { name: "Suspend…" }).click();
    const dialog = page.getByRole("dialog", { name: "Suspend tenants" });
    await dialog.getByLabel("Reason").selectOption("other");
    await dialog.getByLabel("Type 3, the number of tenants, to confirm").fill("3");
    // The first change waits until the button was pressed.
    let resume = () => {};
    const pressed = new Promise<void>((resolve) => (resume = resolve));
    await page.route(`**/api/super-admin/tenants/*`, async (route) => {
        if (route.request().method() === "PATCH") {
            expect(route.request().headers()["if-match"]).toMatch(/^"\d+"$/);
            await pressed;
        }
        await route.continue();
    });
    await dialog.getByRole("button", { name: "Suspend 3 of 3" }).click();
    await expect(dialog.getByText("0 of 3 processed")).toBeVisible();
    await page.keyboard.press("Escape");
    await dialog.getByRole("button", { name: "Stop" }).click();
    await expect(dialog.getByText("stopping after the current one")).toBeVisible();
    resume();
    await expect(page.getByText("1 of 3 tenants are changed; the rest was not attempted")).toBeVisible();
    await expect(dialog.getByRole("row", { name: /Changed/ })).toHaveCount(1);
    await expect(dialog.getByRole("button", { name: "Suspend 2 of 3" })).toBeDisabled();
    const statuses = await Promise.all(tenants.map(async ({ id }) => (await landlord.send<Schemas["Organization"]>("GET", `/tenants/${id}`)).status));
    expect(statuses.toSorted()).toEqual(["active", "active", "suspended"]);
});

test("the filtered tenants are saved as CSV, in which no cell is a formula", async ({ page, landlord }) => {
    const word = unique("csv");
    await landlord.tenant(`=1+1 ${word}, "quoted"`);
    await open(page, `/tenants?search=${word}`);
    await expect(page.getByRole("link", { name: new RegExp(word) })).toBeVisible();
    const saved = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save as CSV" }).click();
    const lines = readFileSync(await (await saved).path(), "utf8").trim().split("\r\n");
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain(`"'=1+1 ${word}, ""quoted"""`);
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Audit" }).click();
    await page.getByLabel("Action").selectOption("tenant.create");
    await expect(page.getByRole("button", { name: "tenant.create" }).first()).toBeVisible();
    const log = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save as CSV" }).click();
    const entries = readFileSync(await (await log).path(), "utf8").trim().split("\r\n");
    expect(entries[0]).toBe("id,at,action,outcome,actor,actor_email,tenant_id,request_id,source_address,details");
    expect(entries.length).toBeGreaterThan(1);
    for (const entry of entries.slice(1)) expect(entry).toContain(",tenant.create,");
});

test("names of any script are shown as text, and one with a mark of direction is refused at its field", async ({ page, landlord, expected }) => {
    expected.statuses = [422];
    const tenant = await landlord.tenant(`مرحبا "quoted" <img src=x> ${"漢".repeat(60)}`);
    await open(page, `/tenants/${tenant.id}`);
    await expect(page.getByRole("heading", { level: 1 })).toContainText(`مرحبا "quoted" <img src=x> 漢`);
    await expect(page.locator("#main img")).toHaveCount(0);
    await page.setViewportSize({ width: 360, height: 740 });
    await expectFits(page);
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.getByRole("button", { name: "Edit name and limits" }).click();
    const name = page.getByRole("dialog").getByLabel("Name");
    await name.fill("gro.kopi\u202e");
    await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
    await expect(name).toHaveAttribute("aria-invalid", "true");
    await expect(name).toHaveValue("gro.kopi\u202e");
});

test("a tenant's page shows nothing that was typed on another's", async ({ page, landlord }) => {
    const [first, second] = [await landlord.tenant(unique("first")), await landlord.tenant(unique("second"))];
    // Both tenants were read already: without a moment in which one is loading, the page could go over from one to the other.
    await open(page, `/tenants/${second.id}/users`);
    await expect(page.getByRole("cell", { name: second.admin, exact: true })).toBeVisible();
    await navigate(page, `/tenants/${first.id}/users`);
    await expect(page.getByRole("cell", { name: first.admin, exact: true })).toBeVisible();
    await page.getByLabel("Name or e-mail").fill("typed here");
    await expect(page.getByText("No user matches")).toBeVisible();
    await navigate(page, `/tenants/${second.id}/users`);
    await expect(page.getByRole("heading", { level: 1 })).toContainText(second.name);
    await expect(page.getByLabel("Name or e-mail")).toHaveValue("");
    await expect(page.getByRole("cell", { name: second.admin, exact: true })).toBeVisible();
});

test("a dialog cannot be dismissed while its request runs", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await open(page, `/tenants/${tenant.id}`);
    await page.getByRole("button", { name: "Edit name and limits" }).click();
    const dialog = page.getByRole("dialog", { name: "Edit name and limits" });
    await dialog.getByLabel("Agents").fill("26");
    let resume = () => {};
    const held = new Promise<void>((resolve) => (resume = resolve));
    await page.route(`**/api/super-admin/tenants/${tenant.id}`, async (route) => {
        await held;
        await route.continue();
    });
    await dialog.getByRole("button", { name: "Save" }).click();
    await page.keyboard.press("Escape");
    // Playwright would wait until the button is enabled.
    await dialog.getByRole("button", { name: "Close" }).click({ force: true });
    await expect(dialog.getByRole("button", { name: "Cancel" })).toBeDisabled();
    await page.waitForTimeout(300);
    await expect(dialog).toBeVisible();
    resume();
    await expect(dialog).toHaveCount(0);
    await expect(page.getByRole("region", { name: "Usage and limits" })).toContainText("/ 26");
});

test("a tenant is created and suspended with the keyboard alone", async ({ page }) => {
    const slug = unique("keys");
    await open(page);
    await tabTo(page, "link", "Tenants");
    await page.keyboard.press("Enter");
    await tabTo(page, "link", "Create a tenant");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { level: 1, name: "Create a tenant" })).toBeVisible();
    await tabTo(page, "textbox", "Name");
    await page.keyboard.type("Keyboard");
    await tabTo(page, "textbox", "Slug");
    await page.keyboard.press("Control+a");
    await page.keyboard.type(slug);
    await tabTo(page, "textbox", "E-mail");
    await page.keyboard.type("keys@example.com");
    await page.keyboard.press("Tab");
    await page.keyboard.type("quiet-lemon-harbor-17");
    await page.keyboard.press("Enter");
    await expect(page.getByText("All steps succeeded.")).toBeVisible({ timeout: 30_000 });
    await tabTo(page, "link", "Open the tenant");
    await page.keyboard.press("Enter");
    await tabTo(page, "button", "Suspend");
    await page.keyboard.press("Enter");
    await tabTo(page, "combobox", "Reason");
    await page.keyboard.press("ArrowDown");
    await expect(page.getByRole("dialog").getByLabel("Reason")).toHaveValue("unpaid");
    await tabTo(page, "textbox", `Type ${slug} to confirm`);
    await page.keyboard.type(slug);
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Suspended");
});
