// Requests as commands for a shell. Neither tokens nor passwords are in them.

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export interface Request {
    method?: "GET" | "POST" | "PATCH" | "DELETE";
    /** Below `/api/super-admin`. */
    path: string;
    query?: Record<string, unknown>;
    body?: Record<string, unknown>;
    headers?: Record<string, string | undefined>;
}

export function curl({ method = "GET", path, query, body, headers }: Request): string {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query ?? {})) {
        for (const one of Array.isArray(value) ? value : [value]) {
            if (one !== undefined && one !== "" && one !== null) parameters.append(name, String(one));
        }
    }
    const search = parameters.toString();
    const parts = [`curl ${quoted(`${window.location.origin}/api/super-admin${path}${search ? `?${search}` : ""}`)}`];
    if (method !== "GET" && !(method === "POST" && body)) parts.push(`--request ${method}`);
    parts.push(`--header "authorization: Bearer $TOKEN"`);
    for (const [name, value] of Object.entries(headers ?? {})) if (value !== undefined) parts.push(`--header ${quoted(`${name}: ${value}`)}`);
    if (body) {
        const shown = JSON.stringify(body, (name, value: unknown) => (name.includes("password") ? "…" : value));
        parts.push(`--json ${quoted(shown)}`);
    }
    return parts.join(" \\\n  ");
}
