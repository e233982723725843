// Limits of tenants, as people type and read them.

/** `null`: unlimited. */
export type Limit = number | null;

/** The largest limit that the API accepts. */
const MAX = 1_000_000_000_000;

export const LIMIT_PATTERN = "[0-9]+|unlimited";

/** A typed limit, or what is wrong with it. Without a value, the field is empty. */
export function readLimit(text: string): { value?: Limit; error?: string } {
    const trimmed = text.trim();
    if (trimmed === "") return {};
    if (trimmed === "unlimited") return { value: null };
    if (!/^[0-9]+$/.test(trimmed)) return { error: "Type a whole number, or the word unlimited" };
    const value = Number(trimmed);
    return value <= MAX ? { value } : { error: "At most 1,000,000,000,000, or the word unlimited" };
}

export const limitText = (limit: Limit): string => (limit === null ? "unlimited" : String(limit));
