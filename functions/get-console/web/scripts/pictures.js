// Writes the pictures of the documents: what an owner sees on the running stack. `cargo dev console pictures` sets the variables;
// `cargo dev seed --tenants 2000` adds data before.

import { mkdirSync } from "node:fs";

import { chromium } from "@playwright/test";

const folder = new URL("../../pictures/", import.meta.url).pathname;
const origin = process.env.CONSOLE_URL ?? process.env.API_URL;
const [email, password] = [process.env.FIRST_ADMIN_EMAIL, process.env.FIRST_ADMIN_PASSWORD];
mkdirSync(folder, { recursive: true });

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage({ baseURL: origin, viewport: { width: 1440, height: 900 }, colorScheme: "light", reducedMotion: "reduce", timezoneId: "Asia/Jakarta", locale: "en" });

const send = async (method, path, data, token) => {
    const answer = await page.request.fetch(`${origin}/api/super-admin${path}`, { method, data, headers: token ? { authorization: `Bearer ${token}` } : {} });
    if (!answer.ok()) throw new Error(`${method} ${path}: ${answer.status()} ${await answer.text()}`);
    return answer.json();
};

try {
    const { access_token: token } = await send("POST", "/auth/login", { email, password });
    const slug = `kopi-kenangan-${Date.now().toString(36)}`;
    const tenant = await send("POST", "/tenants", { name: "Kopi Kenangan", slug, country: "ID", limits: { max_agents: 25 }, admin_email: "sari@kopikenangan.example", admin_password: "tidal-mango-orbit-42" }, token);
    for (let status = ""; status !== "active"; ) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        ({ status } = await send("GET", `/tenants/${tenant.id}`, undefined, token));
        if (status === "failed") throw new Error("the tenant was not provisioned");
    }

    await page.goto("/console");
    await page.getByLabel("E-mail").fill(email);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    const ready = async (title) => {
        await page.getByRole("heading", { level: 1, name: title }).waitFor();
        await page.waitForFunction(() => !document.querySelector(".skeleton") && !document.body.textContent.includes("…"), undefined, { timeout: 5000 }).catch(() => undefined);
    };
    const picture = (name) => page.screenshot({ path: `${folder}${name}.png`, animations: "disabled", caret: "hide" });

    await ready("Overview");
    await picture("overview");
    await page.getByRole("link", { name: "Tenants", exact: true }).click();
    await ready("Tenants");
    // The list shows the rows of the earlier order until those of the new one have arrived.
    const sorted = page.waitForResponse((response) => response.url().includes("sort=-messages_month") && response.ok());
    await page.getByLabel("Order").selectOption("-messages_month");
    await sorted;
    await page.waitForTimeout(500);
    await picture("tenants");
    await page.getByLabel("Order").selectOption("-created_at");
    await page.getByLabel("Name or slug").fill(slug);
    await page.getByRole("link", { name: slug }).click();
    await ready("Kopi Kenangan");
    await page.getByRole("navigation", { name: "Sections of this tenant" }).getByRole("link", { name: "Operations" }).click();
    // The overview of the tenant, which has such a list as well, is left.
    await page.getByRole("heading", { name: "Usage and limits" }).waitFor({ state: "detached" });
    await page.getByRole("list", { name: "Steps" }).waitFor();
    await picture("timeline");
    await page.getByRole("navigation", { name: "Sections of this tenant" }).getByRole("link", { name: "Users" }).click();
    await page.getByRole("button", { name: /^Impersonate / }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Reason").fill("Looks at why her inbox stays empty");
    await dialog.getByLabel("Ticket").fill("SUP-1742");
    await dialog.getByRole("button", { name: "Start the impersonation" }).click();
    await page.getByRole("timer").waitFor();
    await picture("impersonation");
    await page.getByRole("dialog").getByRole("button", { name: "End now" }).click();
    await page.getByRole("dialog", { name: /^End/ }).getByRole("button", { name: "End now" }).click();
    await page.getByText("The impersonation has ended").waitFor();
    console.log(`The pictures are in ${folder}`);
} finally {
    await browser.close();
}
