// Starts every function before the tests: `cargo lambda watch` starts one at its first request, which takes seconds.

import { readFileSync } from "node:fs";

import { type FullConfig, request } from "@playwright/test";

/** These would do something even without a body. */
const EFFECTIVE = ["/reconciliations", "/dead-letters/redrive"];

const NOBODY = "01900000-0000-7000-8000-000000000000";

export default async function warmUp(config: FullConfig): Promise<void> {
    const baseURL = config.projects[0]?.use.baseURL;
    const api = await request.newContext({ baseURL, timeout: 120_000 });
    const credentials = { email: process.env.FIRST_ADMIN_EMAIL, password: process.env.FIRST_ADMIN_PASSWORD };
    const { access_token } = (await (await api.post("/api/super-admin/auth/login", { data: credentials })).json()) as { access_token: string };
    const headers = { authorization: `Bearer ${access_token}` };
    const { paths } = JSON.parse(readFileSync(new URL("../../../../infra/openapi.json", import.meta.url), "utf8")) as { paths: Record<string, Record<string, object>> };
    const calls = Object.entries(paths).flatMap(([path, methods]) =>
        Object.entries(methods)
            .filter(([method, operation]) => "operationId" in operation && !(method === "post" && EFFECTIVE.some((end) => path.endsWith(end))))
            .map(([method]) => ({ method, path: path.replaceAll(/\{[^}]+\}/g, NOBODY) })),
    );
    // A few at a time, because they share the processors.
    await Promise.all(
        [0, 1, 2, 3].map(async (lane) => {
            for (const { method, path } of calls.filter((_, index) => index % 4 === lane)) {
                await api.fetch(path, { method, headers, ...(method === "get" || method === "delete" ? {} : { data: {} }) });
            }
        }),
    );
    await api.get("/console");
    await api.dispose();
}
