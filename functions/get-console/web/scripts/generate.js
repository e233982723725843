// Generates from the OpenAPI document: the types of the API, a table of its operations, and the values of its enumerations.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

import openapi, { astToString } from "openapi-typescript";

const document = new URL("../../../../infra/openapi.json", import.meta.url);
const folder = new URL("../src/api/generated/", import.meta.url);
mkdirSync(folder, { recursive: true });

writeFileSync(new URL("schema.ts", folder), astToString(await openapi(document, { alphabetize: true })));

const { paths, components } = JSON.parse(readFileSync(document, "utf8"));
const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
        .filter(([, operation]) => operation.operationId)
        .map(([method, operation]) => {
            const role = operation["x-required-role"] ?? "none";
            return [`${method.toUpperCase()} ${path.replace("/api/super-admin", "")}`, { role, summary: operation.summary }];
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
