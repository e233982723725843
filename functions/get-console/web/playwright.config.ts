import { defineConfig } from "@playwright/test";

// `cargo dev test` and `cargo dev console pictures` set the variables.
const origin = process.env.CONSOLE_URL ?? process.env.API_URL ?? "http://127.0.0.1:17400";

export default defineConfig({
    testDir: "e2e",
    globalSetup: "./e2e/warm-up.ts",
    // One account signs in for most tests, and the machine has few processors.
    workers: 2,
    fullyParallel: true,
    // A single wait may take as long as the next line permits.
    timeout: 90_000,
    // Generous, because other work on the machine delays the functions: with 10 s, tests failed for want of a processor.
    expect: { timeout: 30_000 },
    reporter: process.env.CONSOLE_REPORTER ?? "list",
    outputDir: ".test-results",
    // Nothing else may run while times are measured.
    projects: [
        { name: "flows", testIgnore: "speed.spec.ts" },
        { name: "speed", testMatch: "speed.spec.ts", dependencies: ["flows"] },
    ],
    use: {
        baseURL: origin,
        channel: undefined,
        launchOptions: { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] },
        viewport: { width: 1440, height: 900 },
        colorScheme: "light",
        locale: "en",
        screenshot: "only-on-failure",
        actionTimeout: 10_000,
    },
});
