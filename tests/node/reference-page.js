// Looks at the reference page as a reader does: what axe finds in each color scheme and width, and what the search finds.
// Argument: the URL of the page. Prints JSON.

import { readFileSync } from "node:fs";

import { launch, resolve } from "./browser.js";

const [url] = process.argv.slice(2);
const axe = readFileSync(resolve("axe-core/axe.min.js"), "utf8");
const standard = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const browser = await launch();
try {
    const page = await browser.newPage();
    const messages = [];
    page.on("console", (message) => messages.push(message.text()));
    page.on("pageerror", (error) => messages.push(error.message));
    const requests = [];
    page.on("request", (request) => requests.push(request.url()));

    const search = await searchFor(page, "slug");
    const nothing = await searchFor(page, "no such word");
    const anchors = await page.evaluate(() => {
        const links = [...document.querySelectorAll("a[href^='#']")].map((link) => link.getAttribute("href").slice(1));
        const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
        return {
            broken: links.filter((link) => !document.getElementById(decodeURIComponent(link))),
            repeated: ids.filter((id, index) => ids.indexOf(id) !== index),
            fieldsWithout: [...document.querySelectorAll("dt")].filter((term) => !term.id).length,
            fields: document.querySelectorAll("dt[id]").length,
        };
    });
    // Until here the page's own policy was in force. It would refuse axe.
    const outlines = messages.slice();

    await page.setBypassCSP(true);
    const violations = [];
    for (const scheme of ["light", "dark"]) {
        for (const width of [360, 1280]) {
            await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
            await page.setViewport({ width, height: 900 });
            await page.reload();
            await page.evaluate(axe);
            const found = await page.evaluate((tags) => window.axe.run({ runOnly: tags }), standard);
            for (const { id, nodes } of found.violations) {
                violations.push({ scheme, width, id, count: nodes.length, first: nodes[0].html, why: nodes[0].failureSummary });
            }
            const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
            if (wide) violations.push({ scheme, width, id: "the page is wider than the window" });
        }
    }
    console.log(JSON.stringify({ violations, search, nothing, anchors, messages: outlines, requests: [...new Set(requests)] }));
} finally {
    await browser.close();
}

/** What the search shows for these words, and where Enter leads. */
async function searchFor(page, words) {
    // From another page, because the last search left a fragment in the URL.
    await page.goto("about:blank");
    await page.goto(url);
    await page.keyboard.press("/");
    await page.keyboard.type(words);
    const status = await page.$eval("#search-status", (element) => element.textContent);
    const results = await page.$$eval("#search-results li", (items) => items.map((item) => item.textContent));
    const contents = await page.$eval("#contents", (element) => !element.hidden);
    await page.keyboard.press("Enter");
    return { status, results, contents, target: decodeURIComponent(new URL(page.url()).hash) };
}
