// How long a person waits. The figures are printed; with `cargo dev seed --tenants 100000` they are those of a large platform.

import type { Page } from "@playwright/test";

import { expect, open, test } from "./fixtures";

const print = (line: string) => console.log(`    ${line}`);

const at = (sorted: number[], share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

/** How many milliseconds too late the frames of a page come that does nothing: what the rest of the machine costs each of them. */
async function lateness(page: Page): Promise<number> {
    const frames = await page.evaluate(async () => {
        const found: number[] = [];
        let last = performance.now();
        for (let count = 0; count < 60; count++) {
            const now = await new Promise<number>((resolve) => requestAnimationFrame(resolve));
            found.push(now - last);
            last = now;
        }
        return found;
    });
    const late = Math.max(0, at(frames.toSorted((a, b) => a - b), 0.95) - 17);
    print(`idle frames are ${late.toFixed(0)} ms late (p95)`);
    return late;
}

test.describe.configure({ mode: "serial" });

test("the first page is painted and usable soon, from a cold cache", async ({ browser, baseURL, page: idle }) => {
    const [painted, usable]: [number[], number[]] = [[], []];
    for (let run = 0; run < 5; run++) {
        const context = await browser.newContext({ baseURL });
        const page = await context.newPage();
        await page.goto("/console", { waitUntil: "commit" });
        await page.getByLabel("E-mail").waitFor();
        const times = await page.evaluate(() => ({ usable: performance.now(), painted: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? performance.now() }));
        painted.push(times.painted);
        usable.push(times.usable);
        await context.close();
    }
    for (const times of [painted, usable]) times.sort((a, b) => a - b);
    print(`first contentful paint: median ${at(painted, 0.5).toFixed(0)} ms, usable ${at(usable, 0.5).toFixed(0)} ms (5 runs, cold cache)`);
    await idle.goto("/console");
    // Several processes answer one another about ten times before the first paint.
    const disturbance = 10 * (await lateness(idle));
    // The fastest run, which other programs of the machine disturbed least.
    expect(at(painted, 0)).toBeLessThanOrEqual(600 + disturbance);
    expect(at(usable, 0)).toBeLessThanOrEqual(1000 + disturbance);
});

test("a change of the page is painted at once", async ({ page }) => {
    await open(page);
    const names = ["Tenants", "Operations", "Impersonations", "Health", "Dead letters", "Reconciliations", "Audit", "Super-admins", "Overview"];
    const painted: number[] = [];
    const filled: number[] = [];
    const disturbance = 4 * (await lateness(page));
    const fastest = new Map<string, number>();
    for (let round = 0; round < 5; round++) {
        for (const name of names) {
            const times = await page.evaluate(async (title) => {
                const link = [...document.querySelectorAll<HTMLAnchorElement>(".place")].find((place) => place.textContent?.trim() === title);
                const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
                const start = performance.now();
                link?.click();
                while (document.querySelector("h1")?.firstElementChild?.textContent !== title) await frame();
                await frame();
                const first = performance.now() - start;
                while (document.querySelector(".skeleton")) await frame();
                return [first, performance.now() - start] as const;
            }, name);
            // The first visit loads the code of the page.
            if (round === 0) continue;
            painted.push(times[0]);
            filled.push(times[1]);
            fastest.set(name, Math.min(fastest.get(name) ?? Infinity, times[0]));
        }
    }
    painted.sort((a, b) => a - b);
    filled.sort((a, b) => a - b);
    print(`change of the page: painted in p50 ${at(painted, 0.5).toFixed(0)} ms, p95 ${at(painted, 0.95).toFixed(0)} ms; with its data p50 ${at(filled, 0.5).toFixed(0)} ms, p95 ${at(filled, 0.95).toFixed(0)} ms`);
    // Of each page the change that other programs disturbed least.
    expect(Math.max(...fastest.values())).toBeLessThanOrEqual(150 + disturbance);
});

test("a long list of tenants scrolls evenly, and fits into the memory", async ({ page }) => {
    test.setTimeout(120_000);
    await open(page, "/tenants");
    const table = page.getByRole("region", { name: "Tenants" });
    await expect(table.getByRole("row").nth(3)).toBeVisible();
    const seen = await table.evaluate(async (element) => {
        const frame = () => new Promise<number>((resolve) => requestAnimationFrame(resolve));
        const deadline = performance.now() + 60_000;
        // To the end of what exists: each page of the list is read as its rows come near.
        let stood = 0;
        while (performance.now() < deadline && stood < 40) {
            const before = element.scrollTop;
            element.scrollTop = element.scrollHeight;
            await frame();
            stood = element.scrollTop === before && !element.querySelector(".skeleton") ? stood + 1 : 0;
        }
        const rows = Math.round(element.querySelector<HTMLElement>(".table-body")!.offsetHeight / 44);
        // Back up, as a person does, for two seconds.
        const frames: number[] = [];
        let last = await frame();
        const until = performance.now() + 2_000;
        while (performance.now() < until) {
            element.scrollTop -= 120;
            const now = await frame();
            frames.push(now - last);
            last = now;
        }
        const memory = (performance as unknown as { memory?: { usedJSHeapSize: number } }).memory;
        return { rows, frames, heap: memory?.usedJSHeapSize ?? 0 };
    });
    const dropped = seen.frames.filter((time) => time > 25).length / seen.frames.length;
    const sorted = seen.frames.toSorted((a, b) => a - b);
    print(`${seen.rows} tenants: frame p50 ${at(sorted, 0.5).toFixed(1)} ms, p95 ${at(sorted, 0.95).toFixed(1)} ms, dropped ${(dropped * 100).toFixed(1)} %, heap ${(seen.heap / 1e6).toFixed(0)} MB`);
    expect(seen.heap).toBeLessThan(150e6);
});
