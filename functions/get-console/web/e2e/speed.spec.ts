// How long a person waits. The figures are printed; with `cargo dev seed --tenants 100000` they are those of a large platform.

import { expect, open, test } from "./fixtures";

const print = (line: string) => console.log(`    ${line}`);

const at = (sorted: number[], share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

test.describe.configure({ mode: "serial" });

test("the first page is painted and usable soon, from a cold cache", async ({ browser, baseURL }) => {
    const [painted, usable, floor]: [number[], number[], number[]] = [[], [], []];
    for (let run = 0; run < 5; run++) {
        const context = await browser.newContext({ baseURL });
        const page = await context.newPage();
        // The smallest page of the same server: what the rest of the machine costs.
        await page.goto("/.well-known/jwks.json");
        floor.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0));
        await page.goto("/console", { waitUntil: "commit" });
        await page.getByLabel("E-mail").waitFor();
        const times = await page.evaluate(() => ({ usable: performance.now(), painted: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? performance.now() }));
        painted.push(times.painted);
        usable.push(times.usable);
        await context.close();
    }
    for (const times of [painted, usable, floor]) times.sort((a, b) => a - b);
    print(`first contentful paint: median ${at(painted, 0.5).toFixed(0)} ms, usable ${at(usable, 0.5).toFixed(0)} ms; the smallest page ${at(floor, 0.5).toFixed(0)} ms (5 runs, cold cache)`);
    const disturbance = 4 * Math.max(0, at(floor, 0.5) - 100);
    // The fastest run, which other programs of the machine disturbed least.
    expect(at(painted, 0)).toBeLessThanOrEqual(600 + disturbance);
    expect(at(usable, 0)).toBeLessThanOrEqual(1000 + disturbance);
});

test("a change of the page is painted at once", async ({ page }) => {
    await open(page);
    const names = ["Tenants", "Operations", "Impersonations", "Health", "Dead letters", "Reconciliations", "Audit", "Super-admins", "Overview"];
    const painted: number[] = [];
    const filled: number[] = [];
    // How late the frames of a page come that does nothing: what the rest of the machine costs.
    const idle = await page.evaluate(async () => {
        const frames: number[] = [];
        let last = performance.now();
        for (let count = 0; count < 60; count++) {
            const now = await new Promise<number>((resolve) => requestAnimationFrame(resolve));
            frames.push(now - last);
            last = now;
        }
        return frames.sort((a, b) => a - b);
    });
    const disturbance = 2 * Math.max(0, at(idle, 0.95) - 17);
    for (let round = 0; round < 3; round++) {
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
            if (round > 0) painted.push(times[0]);
            if (round > 0) filled.push(times[1]);
        }
    }
    painted.sort((a, b) => a - b);
    filled.sort((a, b) => a - b);
    print(`change of the page: painted in p50 ${at(painted, 0.5).toFixed(0)} ms, p95 ${at(painted, 0.95).toFixed(0)} ms; with its data p50 ${at(filled, 0.5).toFixed(0)} ms, p95 ${at(filled, 0.95).toFixed(0)} ms; idle frames p95 ${at(idle, 0.95).toFixed(0)} ms`);
    expect(at(painted, 0.95)).toBeLessThanOrEqual(150 + disturbance);
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
