// The platform itself: the clusters of tenants' databases, and the settings; and what is not sent again because it has not changed.

import { type Schemas, expect, expectAccessible, expectFits, expectLoaded, navigate, open, test } from "./fixtures";

type Cluster = Schemas["Cluster"];

test("clusters show how full they are, whether they take tenants, and which of them fail", async ({ page, landlord }) => {
    await landlord.tenant();
    await open(page, "/clusters");
    const table = page.getByRole("table", { name: "Clusters" });
    const clusters = await landlord.send<Cluster[]>("GET", "/clusters");
    expect(clusters.length).toBeGreaterThan(1);
    await expect(table.getByRole("row")).toHaveCount(clusters.length + 1);
    const [first] = clusters as [Cluster];
    await expect(table.getByRole("row", { name: new RegExp(`^${first.name} PostgreSQL|^${first.name} MongoDB`) }).first()).toContainText("Works");
    await expect(page.getByText("Measured at").first()).toBeVisible();
    const measured_at = new Date().toISOString();
    const closed = { state: "closed", faults: 0, open_until: null } as const;
    const cluster = { kind: "postgresql", tenants: 214, max_tenants: 1250, open: true, is_configured: true, recorded_at: measured_at, operations: closed, measuring: closed, measured_at } as const;
    const shown: Cluster[] = [
        { ...cluster, name: "roomy" },
        { ...cluster, name: "full", tenants: 1250 },
        { ...cluster, name: "old", open: false },
        { ...cluster, name: "gone", max_tenants: null, open: false, is_configured: false, recorded_at: null },
        { ...cluster, kind: "mongodb", name: "broken", operations: { state: "open", faults: 3, open_until: "2027-01-15T09:30:00.000Z" }, measuring: { state: "half_open", faults: 1, open_until: null } },
    ];
    // States that the local stack does not have.
    await page.route("**/api/super-admin/clusters", (route) => route.fulfill({ json: shown }));
    await navigate(page, "/settings");
    await navigate(page, "/clusters");
    const row = (name: string) => table.getByRole("row", { name: new RegExp(`^${name} `) });
    await expect(row("roomy")).toContainText(/Open.*214.*1,250.*1,036/);
    await expect(row("full")).toContainText("Full");
    await expect(row("old")).toContainText(/Draining.*none/);
    await expect(row("gone")).toContainText("Not configured");
    await expect(row("broken")).toContainText(/Fails.*3 faults, until 2027-01-15 09:30 UTC.*Is tried again.*1 fault/);
    await expectAccessible(page);
    await page.setViewportSize({ width: 360, height: 740 });
    await expectFits(page);
});

test("settings are those of the deployment, without secrets, and a viewer may read them", async ({ page, landlord }) => {
    const viewer = await landlord.superAdmin("viewer");
    await open(page, "/settings", viewer);
    const { release, settings } = await landlord.send<Schemas["SettingsResponse"]>("GET", "/settings");
    const versions = page.getByRole("region", { name: "Versions" });
    await expect(versions).toContainText(`Release${release.version}`);
    await expect(versions).toContainText(/Schema of the platform\s*version \d+/);
    await expect(page.getByRole("region", { name: "Sign in" }).getByRole("listitem").filter({ hasText: "JWT_TTL_SECONDS" })).toContainText("lifetime of an access token");
    await expect(page.getByText(`${settings.length} of ${settings.length} settings`)).toBeVisible();
    // The issuer of the identity provider is a name, though it looks like an address.
    const shown = (await page.locator("main").innerText()).replaceAll(process.env.OIDC_ISSUER ?? "", "");
    expect(shown).not.toMatch(/SIGNING_KEY|SECRET|:\/\//);
    await expect(page.getByRole("textbox")).toHaveCount(0);
    await page.getByLabel("Settings").selectOption("true");
    await expect(page).toHaveURL(/changed=true/);
    const changed = settings.filter(({ is_changed }) => is_changed).length;
    await expect(page.getByText(`${changed} of ${settings.length} settings`)).toBeVisible();
    await expectAccessible(page);
    await page.setViewportSize({ width: 360, height: 740 });
    await expectFits(page);
});

test("health and impersonations that did not change are not sent again", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await open(page, `/tenants/${tenant.id}/impersonations`);
    await expect(page.getByText("No impersonation is recorded")).toBeVisible();
    const again = await page.waitForResponse((response) => response.url().includes("/impersonations?"));
    expect(again.status()).toBe(304);
    await expectLoaded(page);
    await expect(page.getByText("No impersonation is recorded")).toBeVisible();
    // Begun elsewhere, it is seen nevertheless.
    const [user] = await landlord.send<Schemas["User"][]>("GET", `/tenants/${tenant.id}/users`);
    await landlord.send("POST", "/impersonations", { tenant_id: tenant.id, user_id: user?.id, reason: "So that the list has an entry", duration_minutes: 1 });
    await expect(page.getByRole("cell", { name: tenant.admin })).toBeVisible();
});
