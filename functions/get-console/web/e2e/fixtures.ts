// What every test uses: a page that fails the test when it logs an error or breaks its policy, and the API for what the test needs to
// exist before.

import { randomUUID } from "node:crypto";

import { AxeBuilder } from "@axe-core/playwright";
import { type APIRequestContext, type Page, test as base, expect } from "@playwright/test";

import type { components } from "../src/api/generated/schema";

export type Schemas = components["schemas"];

export { expect };

interface Account {
    email: string;
    password: string;
}

export const owner: Account = { email: process.env.FIRST_ADMIN_EMAIL ?? "", password: process.env.FIRST_ADMIN_PASSWORD ?? "" };

export interface Tenant {
    id: string;
    slug: string;
    name: string;
    /** The e-mail address of its only user. */
    admin: string;
}

const PASSWORD = "tidal-mango-orbit-42";

/** The API with an owner's rights. */
export class Api {
    private constructor(
        private readonly request: APIRequestContext,
        private readonly token: string,
    ) {}

    static async signIn(request: APIRequestContext, { email, password }: Account): Promise<Api> {
        const answer = await request.post("/api/super-admin/auth/login", { data: { email, password } });
        expect(answer.status(), await answer.text()).toBe(200);
        return new Api(request, ((await answer.json()) as { access_token: string }).access_token);
    }

    async send<T>(method: string, path: string, data?: unknown): Promise<T> {
        const answer = await this.request.fetch(`/api/super-admin${path}`, { method, data, timeout: 30_000, headers: { authorization: `Bearer ${this.token}` } });
        const text = await answer.text();
        expect(answer.ok(), `${method} ${path}: ${answer.status()} ${text}`).toBe(true);
        return (text ? JSON.parse(text) : undefined) as T;
    }

    /** An active tenant, with one user who may be impersonated. */
    async tenant(name = "Kopi Kenangan"): Promise<Tenant> {
        const slug = unique("kopi");
        const admin = `${slug}@example.com`;
        const { id } = await this.send<Schemas["OrganizationWithOperation"]>("POST", "/tenants", { name, slug, country: "ID", limits: { max_agents: 25, max_contacts: 1000 }, admin_email: admin, admin_password: PASSWORD });
        await expect(async () => expect((await this.send<Schemas["Organization"]>("GET", `/tenants/${id}`)).status).toBe("active")).toPass({ timeout: 30_000 });
        return { id, slug, name, admin };
    }

    /** A super-admin with a password of their own. */
    async superAdmin(role: "viewer" | "operator" | "owner"): Promise<Account> {
        const account = await this.temporaryAdmin(role);
        const first = await Api.signIn(this.request, account);
        const next = `${PASSWORD}-own`;
        await first.send("POST", "/auth/change-password", { current_password: account.password, new_password: next });
        return { email: account.email, password: next };
    }

    async temporaryAdmin(role: string): Promise<Account> {
        const email = `${unique(role)}@example.com`;
        await this.send("POST", "/admins", { email, role, password: PASSWORD });
        return { email, password: PASSWORD };
    }
}

export const unique = (word: string): string => `${word}-${randomUUID().slice(0, 8)}`;

/** Answers that a test provokes, of which the browser itself logs an error. */
interface Expected {
    statuses: number[];
}

interface Fixtures {
    /** Errors that the page logged. */
    faults: string[];
    expected: Expected;
    landlord: Api;
}

export const test = base.extend<Fixtures>({
    expected: async ({}, use) => use({ statuses: [] }),
    faults: [
        async ({ page, expected }, use) => {
            const faults: string[] = [];
            page.on("console", (message) => {
                const provoked = expected.statuses.some((status) => message.text().includes(status === 0 ? "ERR_" : `status of ${status}`));
                if (["error", "warning"].includes(message.type()) && !provoked) faults.push(`${message.type()}: ${message.text()}`);
            });
            page.on("pageerror", (error) => faults.push(error.message));
            page.on("request", (request) => {
                if (new URL(request.url()).origin !== new URL(page.url() === "about:blank" ? request.url() : page.url()).origin) faults.push(`foreign: ${request.url()}`);
            });
            await page.addInitScript(() => {
                document.addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
            });
            await use(faults);
            expect(faults).toEqual([]);
        },
        { auto: true },
    ],
    landlord: async ({ playwright, baseURL }, use) => {
        const request = await playwright.request.newContext({ baseURL });
        await use(await Api.signIn(request, owner));
        await request.dispose();
    },
});

/** Opens a path of the console and signs in there; without a reload, on the page that is open. */
export async function open(page: Page, path = "", { email, password }: Account = owner, { reload = true } = {}): Promise<void> {
    if (reload) await page.goto(`/console${path}`);
    await page.getByLabel("E-mail").fill(email);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("button", { name: "Sign out" })).toBeVisible();
}

/** Fails unless axe finds nothing in the light and the dark scheme, and nothing is wider than the window. */
export async function expectAccessible(page: Page): Promise<void> {
    for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        const axe = new AxeBuilder({ page });
        // Only colours differ between the schemes.
        const rules = colorScheme === "light" ? axe.withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]) : axe.withRules(["color-contrast"]);
        const { violations } = await rules.analyze();
        const found = violations.map(({ id, nodes }) => `${colorScheme} ${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).slice(0, 3).join("\n")}`);
        expect(found).toEqual([]);
    }
    await page.emulateMedia({ colorScheme: "light" });
    await expectFits(page);
}

/** Fails if anything is wider than the window. The content of a page scrolls in an element of its own. */
export async function expectFits(page: Page): Promise<void> {
    const excess = (): Promise<number> =>
        page.evaluate(() => Math.max(...[document.documentElement, ...document.querySelectorAll("#main, .dialog")].map((element) => element.scrollWidth - element.clientWidth)));
    // After a change of the window, a chart is drawn again in the next frame.
    await expect.poll(excess, { message: `wider than the window at ${page.url()}`, timeout: 2_000 }).toBeLessThanOrEqual(0);
}

/** Waits until everything on the page was read. */
export async function expectLoaded(page: Page): Promise<void> {
    await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
}

/** Goes to a path within the console, which keeps the session. */
export async function navigate(page: Page, path: string): Promise<void> {
    await page.evaluate((to) => {
        history.pushState({}, "", `/console${to}`);
        window.dispatchEvent(new PopStateEvent("popstate"));
    }, path);
}

/** Presses Tab until an element has the focus. */
export async function tabTo(page: Page, role: "button" | "link" | "textbox" | "combobox", name: string | RegExp): Promise<void> {
    const target = page.getByRole(role, { name, exact: typeof name === "string" }).first();
    await expect(target).toBeVisible();
    for (let pressed = 0; pressed < 80; pressed++) {
        if (await target.evaluate((element) => element === document.activeElement)) return;
        await page.keyboard.press("Tab");
    }
    throw new Error(`Tab does not reach ${role} ${name}`);
}
