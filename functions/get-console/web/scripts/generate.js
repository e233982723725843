// Generates from the OpenAPI document: the types of the API, a table of its operations, and the values of its enumerations.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

import openapi, { astToString } from "openapi-typescript";

const document = new URL("../../../../infra/openapi.json", import.meta.url);
const folder = new URL("../src/api/generated/", import.meta.url);
mkdirSync(folder, { recursive: true });

writeFileSync(new URL("schema.ts", folder), astToString(await openapi(document, { alphabetize: true })));

const { paths, components } = JSON.parse(readFileSync(document, "utf8"));

/** The words of an operation's command: infra/cli/README.md contains the rules. */
function commandOf(method, path, operation) {
    const segments = path.replace("/api/super-admin", "").split("/").filter(Boolean);
    const words = segments.filter((segment) => !/^[{.]/.test(segment)).map((segment) => segment.replace(/\.json$/, ""));
    const isList = operation.responses["200"]?.content?.["application/json"]?.schema?.type === "array";
    const verbs = { get: segments.at(-1).startsWith("{") ? "get" : isList ? "list" : undefined, post: paths[path].get ? "create" : undefined, patch: "update", put: "replace", delete: "delete" };
    const exception = { "post /api/super-admin/impersonations": "start", "delete /api/super-admin/impersonations/{id}": "end" }[`${method} ${path}`];
    return [...words, exception ?? verbs[method]].filter(Boolean).join(" ");
}

const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
        .filter(([, operation]) => operation.operationId)
        .map(([method, operation]) => {
            const role = operation["x-required-role"] ?? "none";
            return [`${method.toUpperCase()} ${path.replace("/api/super-admin", "")}`, { role, command: commandOf(method, path, operation) }];
        }),
);
// Values that forms offer.
const values = Object.fromEntries(
    Object.entries(components.schemas)
        .filter(([, schema]) => Array.isArray(schema.enum))
        .map(([name, schema]) => [name, schema.enum]),
);
writeFileSync(
    new URL("operations.ts", folder),
    `// Generated from infra/openapi.json.\nexport const operations = ${JSON.stringify(Object.fromEntries(operations), null, 4)} as const;\n` +
        `export const values = ${JSON.stringify(values, null, 4)} as const;\n`,
);
