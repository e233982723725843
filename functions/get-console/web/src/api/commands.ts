// Requests as commands for a shell, for curl and for the command line `landlord`. They contain neither tokens nor passwords.

import type { OperationName } from "./acts";
import { operations } from "./generated/operations.ts";

type Values = Record<string, unknown>;

export interface ApiRequest {
    operation: OperationName;
    /** The values of the parameters in its path, in their order. */
    ids?: string[];
    query?: Values;
    body?: Values;
    headers?: Record<string, string | undefined>;
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== "" && value !== null;

/** The text as one word of a shell. */
const quoted = (text: string): string => (/^[\w.,:/@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

const lines = (parts: string[]): string => parts.join(" \\\n  ");

const isPassword = (name: string): boolean => name.includes("password");

export function curl({ operation, ids = [], query = {}, body, headers = {} }: ApiRequest): string {
    const [method = "", template = ""] = operation.split(" ");
    const values = ids.values();
    const path = template.replaceAll(/\{[^}]+\}/g, () => encodeURIComponent(values.next().value ?? ""));
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
        for (const one of Array.isArray(value) ? value : [value]) if (isGiven(one)) parameters.append(name, String(one));
    }
    const search = parameters.toString();
    const parts = [`curl ${quoted(`${globalThis.location.origin}/api/super-admin${path}${search ? `?${search}` : ""}`)}`];
    if (method !== "GET" && !(method === "POST" && body)) parts.push(`--request ${method}`);
    parts.push(`--header "authorization: Bearer $TOKEN"`);
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) parts.push(`--header ${quoted(`${name}: ${value}`)}`);
    if (body) parts.push(`--json ${quoted(JSON.stringify(body, (name, value: unknown) => (isPassword(name) ? "…" : value)))}`);
    return lines(parts);
}

/** The name of a parameter or a field as an option. */
const option = (name: string): string => `--${name.replaceAll("_", "-")}`;

/** Pages are read by the command itself, which prints the items and not their number. */
const OF_PAGES = ["cursor", "count"];

export function landlord({ operation, ids = [], query = {}, body = {}, headers = {} }: ApiRequest): string {
    const parts = [["landlord", operations[operation].command, ...ids.map(quoted)].join(" ")];
    for (const [name, value] of Object.entries(query)) {
        if (isGiven(value) && !OF_PAGES.includes(name)) parts.push(`${option(name)} ${quoted([value].flat().join(","))}`);
    }
    for (const [name, value] of Object.entries(headers)) {
        // A tag is accepted without its quotation marks.
        if (value !== undefined) parts.push(`${option(name)} ${quoted(value.replaceAll('"', ""))}`);
    }
    parts.push(...fields("", body));
    return lines(parts);
}

function fields(prefix: string, body: Values): string[] {
    return Object.entries(body).flatMap(([name, value]) => {
        if (value === undefined) return [];
        if (isPassword(name)) return [`${option(prefix + name)}-file FILE`];
        if (typeof value === "object" && value !== null) return fields(`${prefix}${name}.`, value as Values);
        return [`${option(prefix + name)} ${quoted(String(value))}`];
    });
}
