// The first page: every figure from one request, with its time; what is unknown or old is shown as that.

import type { Page } from "@playwright/test";

import { type Schemas, expect, expectAccessible, expectFits, expectLoaded, open, test } from "./fixtures";

type Overview = Schemas["Overview"];

/** Replaces parts of the answer, because a store that is down would disturb the other tests. */
async function replace(page: Page, change: (overview: Overview) => Overview): Promise<void> {
    await page.route("**/api/super-admin/overview", async (route) => {
        const response = await route.fetch();
        // Its entity tag is that of the real figures.
        const { etag: _, ...headers } = response.headers();
        await route.fulfill({ response, headers, json: change((await response.json()) as Overview) });
    });
}

test("the overview is one request, and each card states when it was measured", async ({ page, landlord }) => {
    const paths = new Set<string>();
    await landlord.tenant();
    await page.goto("/console");
    page.on("request", (request) => {
        const { pathname } = new URL(request.url());
        if (pathname.startsWith("/api/super-admin/") && !/\/(auth|admins)\//.test(pathname)) paths.add(pathname.replace("/api/super-admin", ""));
    });
    await open(page, "", undefined, { reload: false });
    await expectLoaded(page);
    for (const name of ["Health now", "Tenants", "Operations", "Needs attention", "Most messages this month", "Most storage", "Newest over a limit", "Done today (UTC)"]) {
        await expect(page.getByRole("region", { name, exact: true }).getByText("Measured at").first(), name).toBeVisible();
    }
    expect([...paths].toSorted()).toEqual(["/health/history", "/overview"]);
    const tenants = page.getByRole("region", { name: "Tenants", exact: true });
    // Other tests create tenants meanwhile.
    await expect(async () => {
        const { by_status } = (await landlord.send<Overview>("GET", "/overview")).tenants;
        await expect(tenants.getByRole("link", { name: /active$/ })).toHaveText(`${by_status.active.toLocaleString("en")}active`, { timeout: 6_000 });
    }).toPass({ timeout: 40_000 });
    const done = page.getByRole("region", { name: "Done today (UTC)" });
    await expect(done.getByRole("listitem").filter({ hasText: "tenant.create" })).toContainText(/\d+ done/);
    await done.getByRole("link", { name: "tenant.create" }).click();
    await expect(page.getByLabel("Action")).toHaveValue("tenant.create");
    await expect(page).toHaveURL(/since=\d{4}-\d\d-\d\d/);
});

test("unknown and old figures are shown as unknown and old, and one that was counted up to a limit as that", async ({ page }) => {
    await replace(page, (overview) => ({
        ...overview,
        dead_letters: { measured_at: null, number: null, unknown: "redis_unavailable" },
        outbox: { ...overview.outbox, pending: 10_000, is_exact: false, oldest_age_seconds: 90 },
        provisionings: { ...overview.provisionings, requested: 12, succeeded: 10, failed: 2, median_seconds: 0.4, p95_seconds: 3 },
        health: {
            measured_at: "2026-01-15T09:30:00Z",
            components: [
                { component: "system", status: "degraded", since: "2026-01-15T09:00:00Z", measured_at: "2026-01-15T09:30:00Z" },
                { component: "redis", status: "down", since: "2026-01-15T09:10:00Z", measured_at: "2026-01-15T09:30:00Z" },
                { component: "kafka", status: "up", since: "2026-01-15T09:00:00Z", measured_at: "2026-01-15T09:30:00Z" },
            ],
        },
    }));
    await open(page);
    const attention = page.getByRole("region", { name: "Needs attention" });
    await expect(attention.getByRole("link", { name: /dead letters/ })).toContainText("?");
    await expect(attention.getByRole("link", { name: /dead letters/ })).toContainText("unknown: Redis");
    await expect(attention.getByText("Dead letters were not counted")).toBeVisible();
    await expect(attention.getByText("10,000+")).toBeVisible();
    await expect(attention.getByText("The oldest pending message waits for 90 s.")).toBeVisible();
    const health = page.getByRole("region", { name: "Health now" });
    await expect(health).toContainText("1 of 2 components have a problem.");
    await expect(health.getByRole("listitem").filter({ hasText: "Redis" })).toContainText("Down");
    await expect(health).toContainText(/old: \d+ d \d+ h ago/);
    await expect(page.getByRole("region", { name: "Operations", exact: true })).toContainText("10 succeeded and 2 failed. Half took at most 400 ms, and 95 % at most 3.0 s.");
    await expectAccessible(page);
    await page.setViewportSize({ width: 360, height: 740 });
    await expectFits(page);
});

test("an overview that cannot be read is shown as that, and one that cannot be read again as old", async ({ page, expected }) => {
    expected.statuses = [500];
    const problem = { type: "/api/super-admin/problems/internal", title: "Internal error", status: 500, detail: "The test replaced this answer" };
    const fail = () => page.route("**/api/super-admin/overview", (route) => route.fulfill({ status: 500, contentType: "application/problem+json", body: JSON.stringify(problem) }));
    await fail();
    await open(page);
    await expect(page.getByRole("alert")).toContainText("The test replaced this answer");
    // What is read by another request is shown nevertheless.
    await expect(page.getByRole("region", { name: "Health of the last 30 days" }).getByRole("img").first()).toBeVisible();
    await page.unroute("**/api/super-admin/overview");
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(page.getByRole("region", { name: "Needs attention" })).toBeVisible();
    await fail();
    await expect(page.getByText("Old figures.")).toBeVisible();
    await expect(page.getByRole("region", { name: "Needs attention" })).toBeVisible();
    await expectAccessible(page);
});
