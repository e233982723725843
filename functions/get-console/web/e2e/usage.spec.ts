// The use of a tenant over time: its days, its forecast, and the limits that it has reached.

import type { Page } from "@playwright/test";

import { type Schemas, expect, expectAccessible, expectFits, expectLoaded, open, test } from "./fixtures";

type History = Schemas["UsageHistory"];

const DAY = 86_400_000;

/** Replaces the days, which a new tenant does not have yet, by growing ones, the third last of which was not measured. */
async function withDays(page: Page): Promise<void> {
    await page.route("**/api/super-admin/tenants/*/usage/history**", async (route) => {
        const response = await route.fetch();
        const history = (await response.json()) as History;
        const count = (Date.parse(history.until) - Date.parse(history.since)) / DAY + 1;
        const days = Array.from({ length: count }, (_, index) => {
            const day = new Date(Date.parse(history.since) + index * DAY).toISOString().slice(0, 10);
            return { day, agents: 5, contacts: 100 + index * 10, messages_month: null, storage_bytes: 4096 * (index + 1), measured_at: `${day}T23:50:00.000Z` };
        }).filter((_, index) => index !== count - 3);
        const forecast = { agents: { limit: 25, value: 5, per_day: 0, days: 29, reached_on: null }, contacts: { limit: 1000, value: 390, per_day: 10.25, days: 29, reached_on: "2027-02-01" }, messages_month: null };
        const { etag, ...headers } = response.headers();
        await route.fulfill({ response, headers, json: { ...history, days, forecast } });
    });
}

test("the days of a tenant are a chart and a table, with gaps and a forecast", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await withDays(page);
    await open(page, `/tenants/${tenant.id}`);
    const card = page.getByRole("region", { name: "Usage over time" });
    // Messages were never measured: no line at 0.
    await expect(card.getByText("Messages this month: no day of this time span was measured")).toBeVisible();
    await card.getByLabel("Figure").selectOption("contacts");
    await expect(page).toHaveURL(/figure=contacts/);
    await expect(card.getByRole("img", { name: /^Contacts from .*: 29 measured days, 100 to 390$/ })).toBeVisible();
    await expect(card.getByText("the dashed line is the limit, 1,000")).toBeVisible();
    const forecast = card.getByRole("table", { name: "Forecast" });
    await expect(forecast.getByRole("row", { name: /^Contacts/ })).toContainText(/\+10.25.*2027-02-01/);
    await expect(forecast.getByRole("row", { name: /^Agents/ })).toContainText("not within ten years");
    await card.getByText("As a table").click();
    await expect(card.getByRole("region", { name: "Days" }).getByRole("row")).toHaveCount(30);
    await expect(card.getByText("Measured at").last()).toBeVisible();
    await expectAccessible(page);
    const asked = page.waitForRequest((request) => request.url().includes("/usage/history?since="));
    await card.getByLabel("Time span").selectOption("90");
    const since = new URL((await asked).url()).searchParams.get("since") ?? "";
    expect(Math.round((Date.now() - Date.parse(since)) / DAY)).toBeGreaterThanOrEqual(89);
    await expect(card.getByRole("img", { name: /: 89 measured days/ })).toBeVisible();
    await card.getByLabel("Figure").selectOption("storage_bytes");
    await expect(card.getByRole("img", { name: /^Storage .* 4.0 KiB to 360 KiB$/ })).toBeVisible();
    await page.setViewportSize({ width: 360, height: 740 });
    await expectFits(page);
});

test("a tenant with few measured days has no forecast, and a wrong filter in the URL does no harm", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    await open(page, `/tenants/${tenant.id}?figure=nonsense&days=-1`);
    const card = page.getByRole("region", { name: "Usage over time" });
    await expectLoaded(page);
    await expect(card.getByLabel("Figure")).toHaveValue("messages_month");
    await expect(card.getByLabel("Time span")).toHaveValue("30");
    await expect(card.getByText("No forecast")).toBeVisible();
    await expect(page.getByRole("alert")).toHaveCount(0);
});

test("limits that are reached show which services act on them", async ({ page, landlord }) => {
    const tenant = await landlord.tenant();
    // No service of the local stack confirms limits, so that this part of the answer is replaced.
    await page.route(`**/api/super-admin/tenants/${tenant.id}?**`, async (route) => {
        const response = await route.fetch();
        const { etag, ...headers } = response.headers();
        const measured = { agents: 25, agents_online: 0, contacts: 4, messages_month: 0, storage_bytes: 0, month: "2026-01", over_limit: [], measured_at: "2026-01-15T09:30:00.000Z", error: null };
        const view = (await response.json()) as Schemas["OrganizationView"];
        const limits_reached = [{ id: "01900000-0000-7000-8000-000000000001", figure: "agents", reached_at: "2026-01-15T09:30:00.000Z", acknowledged_by: ["webhook-ingestor"], pending: ["ai-agent"] }];
        await route.fulfill({ response, headers: { ...headers, ...(etag ? { etag } : {}) }, json: { ...view, usage: view.usage ?? measured, limits_reached } });
    });
    await open(page, `/tenants/${tenant.id}`);
    const reached = page.getByRole("list", { name: "Limits reached" });
    await expect(reached.getByRole("listitem")).toHaveCount(1);
    await expect(reached).toContainText("Agents");
    await expect(reached).toContainText("Not confirmed by all services");
    await expect(reached).toContainText("Confirmed by Webhook ingestor. Not confirmed by AI agent.");
    await expectAccessible(page);
});
