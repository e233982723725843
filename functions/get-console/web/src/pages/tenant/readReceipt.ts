// What a signed receipt states. The API describes its content as an object only, and what is shown must be what was signed.

/** A number of things, such as rows. */
export type Figure = readonly [what: string, count: number];

export interface StoreInReceipt {
    store: string;
    /** Empty if there is only one. */
    cluster: string;
    existed: Figure[];
    removed: Figure[];
}

export interface Receipt {
    slug: string;
    issuer: string;
    /** When nothing was left. */
    purgedAt: string | undefined;
    operation: string;
    reason: string;
    stores: StoreInReceipt[];
    /** Where a search found how much afterwards. */
    search: { at: string; places: string[]; found: number | undefined };
    /** What is left until when; without a time, without end. */
    remains: { what: string; until: string | undefined }[];
}

const TYPE = "tenant-receipt+jwt";

type Value = Record<string, unknown>;

const isObject = (value: unknown): value is Value => typeof value === "object" && value !== null && !Array.isArray(value);
const object = (value: unknown): Value => (isObject(value) ? value : {});
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const integer = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

function decoded(part: string | undefined): Value {
    const binary = atob((part ?? "").replaceAll("-", "+").replaceAll("_", "/"));
    // Names and reasons are in UTF-8, of which `atob` makes one character for each byte.
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (!isObject(value)) throw new Error("no object");
    return value;
}

const figures = (value: unknown): Figure[] => Object.entries(object(value)).flatMap(([what, count]) => (typeof count === "number" ? [[what, count] as const] : []));

/** Decodes the claims of a receipt, without verifying its signature. Throws if it is no receipt. */
export function readReceipt(jws: string): Receipt {
    const [header, claims, signature, ...rest] = jws.trim().split(".");
    let content: Value;
    try {
        if (!signature || rest.length > 0 || decoded(header).typ !== TYPE) throw new Error("another type");
        content = decoded(claims);
    } catch {
        throw new Error("The API sent something that is no receipt");
    }
    const search = object(content.search);
    const issued = integer(content.iat);
    return {
        slug: text(content.slug),
        issuer: text(content.iss),
        purgedAt: issued === undefined ? undefined : new Date(issued * 1000).toISOString(),
        operation: text(content.jti),
        reason: text(object(content.deletion).reason),
        stores: list(content.stores).map(object).map(({ store, cluster, existed, removed }) => ({ store: text(store), cluster: text(cluster), existed: figures(existed), removed: figures(removed) })),
        search: {
            at: text(search.searched_at),
            places: [
                ...list(search.postgresql_clusters).map((name) => `PostgreSQL ${text(name)}`),
                ...list(search.mongodb_clusters).map((name) => `MongoDB ${text(name)}`),
                ...(text(search.bucket) ? [`bucket ${text(search.bucket)}`] : []),
                ...(search.redis === true ? ["Redis"] : []),
            ],
            found: integer(search.found),
        },
        remains: list(content.remains).map(object).map(({ what, until }) => ({ what: text(what), until: text(until) || undefined })),
    };
}

/** How somebody verifies a saved receipt without Landlord. */
export const verification = (file: string, origin: string): string =>
    [
        `python3 -c 'import jwt, sys; key = jwt.PyJWKClient(sys.argv[2]).get_signing_key_from_jwt(sys.argv[1]); print(jwt.decode(sys.argv[1], key, algorithms=["EdDSA", "ES256"]))'`,
        `"$(cat ${file})" "${origin}/.well-known/jwks.json"`,
    ].join(" \\\n  ");
