// Signing in at the identity provider: the stand-in of the local stack, in a window of its own.

import type { Page } from "@playwright/test";

import { expect, expectAccessible, test, unique } from "./fixtures";

const EXCHANGE = "**/api/super-admin/auth/exchange";
const TEXT = "Looks at why her inbox stays empty";

/** Presses the button, and returns the provider's window. */
async function ask(page: Page): Promise<Page> {
    const opened = page.context().waitForEvent("page");
    await page.getByRole("button", { name: /^Continue with / }).click();
    return opened;
}

async function answer(window: Page, subject: string, role: string, button = "Sign in"): Promise<void> {
    await window.getByLabel("Subject").fill(subject);
    await window.getByLabel("Role").selectOption(role);
    await window.getByRole("button", { name: button }).click();
}

const account = (page: Page, subject: string, role: string) => page.getByRole("link", { name: `Account of ${subject}, ${role}` });

test("a person signs in at the identity provider, with the role that it states, and nothing of it is stored", async ({ page }) => {
    const subject = unique("ada");
    await page.goto("/console/tenants");
    await expect(page.getByRole("button", { name: /^Continue with / })).toBeVisible();
    await expectAccessible(page);
    const window = await ask(page);
    await expect(page.getByText("Go on in the window of the identity provider.")).toBeVisible();
    const closed = window.waitForEvent("close");
    await answer(window, subject, "operator");
    await expect(account(page, subject, "operator")).toBeVisible();
    await closed;
    await expect(page.getByRole("heading", { name: "Tenants", level: 1 })).toBeVisible();
    await expect(page.getByRole("link", { name: "Create a tenant" })).toBeVisible();
    expect(page.url()).toMatch(/\/console\/tenants$/);
    expect(await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]))).toBe('[{},{},""]');
    // The provider alone can continue the session, and has the password.
    await account(page, subject, "operator").click();
    await expect(page.getByText("The identity provider has set its end. It is not continued.")).toBeVisible();
    await expect(page.getByLabel("Current password")).toHaveCount(0);
    await expectAccessible(page);
});

test("who is refused, or changes their mind, reads why and can try again", async ({ page }) => {
    const subject = unique("ada");
    await page.goto("/console");
    await answer(await ask(page), subject, "viewer", "Refuse");
    await expect(page.getByRole("alert")).toContainText("The identity provider has refused");
    await expect(page.getByRole("alert")).toContainText("access_denied");
    await expect(page.getByRole("button", { name: /^Continue with / })).toBeFocused();
    await expectAccessible(page);
    const window = await ask(page);
    await page.getByRole("button", { name: "Cancel" }).click();
    await expect(page.getByRole("alert")).toHaveCount(0);
    // The code of an attempt that was cancelled is of no use to anybody.
    await answer(window, subject, "owner");
    await expect(page.getByRole("button", { name: /^Continue with / })).toBeEnabled();
    await expect(page.getByRole("button", { name: "Sign out" })).toHaveCount(0);
    await answer(await ask(page), subject, "viewer");
    await expect(account(page, subject, "viewer")).toBeVisible();
    // The address that the window comes back to, opened by hand.
    const byHand = await page.context().newPage();
    await byHand.goto("/console/signed-in?code=x&state=y&error=%3Cb%3Ex");
    await expect(byHand.getByText("This one can be closed")).toBeVisible();
    expect(byHand.url()).toMatch(/\/console\/signed-in$/);
});

test("a code that the provider refuses, a provider that is down, and a token of nobody are shown as what they are", async ({ page, expected }) => {
    expected.statuses = [401, 503];
    await page.goto("/console");
    // The code is not the one that the provider has issued.
    await page.route(EXCHANGE, (route) => route.continue({ postData: { ...(route.request().postDataJSON() as object), code: "guessed" } }), { times: 1 });
    await answer(await ask(page), "ada", "viewer");
    await expect(page.getByRole("alert")).toContainText("The identity provider has refused the code");
    const problem = { type: "/api/super-admin/problems/unavailable", title: "Temporarily unavailable", status: 503, detail: "The identity provider is temporarily unavailable" };
    await page.route(EXCHANGE, (route) => route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify(problem) }), { times: 1 });
    await answer(await ask(page), "ada", "viewer");
    await expect(page.getByRole("alert")).toContainText("The identity provider is temporarily unavailable");
    await page.route(EXCHANGE, (route) => route.fulfill({ json: { access_token: "a.b.c", token_type: "Bearer", expires_in: 60 } }), { times: 1 });
    await answer(await ask(page), "ada", "viewer");
    await expect(page.getByRole("alert")).toContainText("The bearer token is not valid");
    await answer(await ask(page), "ada", "viewer");
    await expect(account(page, "ada", "viewer")).toBeVisible();
});

test("a session of the provider that has ended goes on with another sign-in, and keeps what was typed", async ({ page, expected }) => {
    expected.statuses = [401];
    const subject = unique("ada");
    await page.route(
        EXCHANGE,
        async (route) => {
            const response = await route.fetch();
            await route.fulfill({ response, json: { ...(await response.json()), expires_in: 8 } });
        },
        { times: 1 },
    );
    await page.goto("/console/tenants/new");
    await answer(await ask(page), subject, "owner");
    await page.getByLabel("Name").fill(TEXT);
    await expect(page.getByText("as the identity provider has set")).toBeVisible();
    const dialog = page.getByRole("dialog", { name: "Sign in again" });
    await expect(dialog).toBeVisible({ timeout: 20_000 });
    await expect(dialog.getByLabel("Password")).toHaveCount(0);
    await expectAccessible(page);
    await answer(await ask(page), subject, "owner");
    await expect(dialog).toHaveCount(0);
    await expect(page.getByLabel("Name")).toHaveValue(TEXT);
});
