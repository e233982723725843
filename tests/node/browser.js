// A headless Chromium from the packages, so that no test depends on an installed browser.

import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// This folder has no `node_modules`: the packages are installed in the cache.
const packages = process.env.NODE_PACKAGES;
export const { resolve } = createRequire(join(packages, "package.json"));
const load = (name) => import(pathToFileURL(resolve(name)));

/** Starts a browser. The caller closes it. */
export async function launch() {
    // The package unpacks its files into the folder for temporary files, unless they are there.
    const unpacked = join(packages, "chromium");
    mkdirSync(unpacked, { recursive: true });
    process.env.TMPDIR = unpacked;
    const { default: chromium, inflate } = await load("@sparticuz/chromium");
    const executablePath = await chromium.executablePath();
    // Libraries that a server without a desktop lacks.
    await inflate(join(resolve("@sparticuz/chromium"), "../../bin/al2023.tar.br"));
    const { default: puppeteer } = await load("puppeteer-core");
    return puppeteer.launch({
        executablePath,
        // Root has no sandbox, and the page is our own.
        args: ["--no-sandbox", "--no-zygote", "--headless=shell", "--disable-gpu"],
        headless: "shell",
        env: { ...process.env, LD_LIBRARY_PATH: join(unpacked, "al2023/lib") },
    });
}
