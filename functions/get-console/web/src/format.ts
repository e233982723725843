const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const number = (value: number): string => whole.format(value);
export const short = (value: number): string => (Math.abs(value) < 10_000 ? whole.format(value) : compact.format(value));
/** A small number, with its decimals. */
export const precise = (value: number): string => exact.format(value);
export const percent = (share: number): string => `${whole.format(share * 100)} %`;

export function bytes(value: number): string {
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let index = 0;
    while (value >= 1024 && index < units.length - 1) {
        value /= 1024;
        index += 1;
    }
    return `${value.toFixed(index > 0 && value < 10 ? 1 : 0)} ${units[index]}`;
}

export function duration(milliseconds: number): string {
    if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
    const seconds = Math.round(milliseconds / 1000);
    if (seconds < 120) return milliseconds < 10_000 ? `${(milliseconds / 1000).toFixed(1)} s` : `${seconds} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 120) return `${minutes} min ${seconds % 60} s`;
    const hours = Math.floor(minutes / 60);
    return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const two = (value: number): string => String(value).padStart(2, "0");

export function utc(date: Date, seconds = false): string {
    const text = date.toISOString();
    return `${text.slice(0, 10)} ${text.slice(11, seconds ? 19 : 16)} UTC`;
}

export function local(date: Date, seconds = false): string {
    const offset = -date.getTimezoneOffset();
    const zone = `${offset < 0 ? "−" : "+"}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
    const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    return `${day} ${two(date.getHours())}:${two(date.getMinutes())}${seconds ? `:${two(date.getSeconds())}` : ""} ${zone}`;
}

/** A name as text, with marks that would change its direction made visible, so that no name disguises itself as another. */
export function visible(text: string): string {
    return text.replaceAll(/[\u202a-\u202e\u2066-\u2069\u200e\u200f]/g, "␣");
}

/** `provisioning_failed` as words. */
const words = (value: string): string => value.replaceAll(/[_-]/g, " ");

/** Names that are written in their own way. */
const NAMES: Record<string, string> = {
    postgresql: "PostgreSQL",
    postgresql_database: "PostgreSQL database",
    mongodb: "MongoDB",
    mongodb_database: "MongoDB database",
    minio: "Object storage",
    sqs: "SQS",
    whatsapp: "WhatsApp",
    email: "E-mail",
    "ai-agent": "AI agent",
    "ws-server": "WebSocket server",
    admin_agent: "First admin",
    postgresql_access: "Access to PostgreSQL",
    mongodb_access: "Access to MongoDB",
    postgresql_removal: "Removal from PostgreSQL",
    mongodb_removal: "Removal from MongoDB",
    object_removal: "Removal of objects",
    redis_removal: "Removal from Redis",
    postgresql_export: "Copy of PostgreSQL",
    mongodb_export: "Copy of MongoDB",
    object_export: "List of objects",
    export_manifest: "Manifest",
    postgresql_import: "Rows into PostgreSQL",
    mongodb_import: "Documents into MongoDB",
    object_import: "Copies of objects",
    comparison: "Comparison with the export",
    verification: "Search for what is left",
};

export const sentence = (value: string): string => NAMES[value] ?? words(value).replace(/^./, (first) => first.toUpperCase());

/** The number of items of a list, which the API counts up to a limit. */
export const totalText = (total: { value: number; exact: boolean } | undefined, what: string): string => (total ? `${number(total.value)}${total.exact ? "" : " or more"} ${what}` : "");

/** Such a number as a figure. */
export const countText = ({ value, exact }: { value: number; exact: boolean }): string => `${number(value)}${exact ? "" : "+"}`;

/** A date of a field as a time of the API. */
export const midnight = (day: string | undefined): string | undefined => (day ? `${day}T00:00:00Z` : undefined);
