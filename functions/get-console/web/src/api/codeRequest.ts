// The request for an authorization code with PKCE (RFC 7636), and the reply to it.

export interface Provider {
    issuer: string;
    authorization_url: string;
    client_id: string;
    scope: string;
}

/** A request for one sign-in. */
export interface Attempt {
    /** The provider's page. */
    url: string;
    state: string;
    /** Proves to the provider that a code is redeemed by who asked for it. */
    verifier: string;
}

/** What the provider's answer says, in the address that it leads back to (RFC 6749, section 4.1.2; RFC 9207). */
export interface Reply {
    state: string | null;
    code: string | null;
    iss: string | null;
    error: string | null;
    description: string | null;
}

export const RETURN_PATH = "/console/signed-in";

/** Where the provider's window comes back to. */
export const returnAddress = (): string => location.origin + RETURN_PATH;

const base64url = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const random = (): string => base64url(crypto.getRandomValues(new Uint8Array(32)));

export async function prepare(provider: Provider): Promise<Attempt> {
    const [state, verifier] = [random(), random()];
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
    // The address may have a query of its own.
    const url = new URL(provider.authorization_url);
    const fields = {
        response_type: "code",
        client_id: provider.client_id,
        redirect_uri: returnAddress(),
        scope: provider.scope,
        state,
        code_challenge: base64url(new Uint8Array(digest)),
        code_challenge_method: "S256",
    };
    Object.entries(fields).forEach(([name, value]) => url.searchParams.set(name, value));
    return { url: url.href, state, verifier };
}

export function readReply(query: string): Reply {
    const fields = new URLSearchParams(query);
    return { state: fields.get("state"), code: fields.get("code"), iss: fields.get("iss"), error: fields.get("error"), description: fields.get("error_description") };
}

/** The code that may be redeemed, or else why there is none, as a title and a reason. */
export function outcomeOf({ code, iss, error, description }: Reply, provider: Provider): { code: string } | { refusal: [string, string] } {
    // A reply of another provider could be a trick to get the code (RFC 9207).
    if (iss !== null && iss !== provider.issuer) return { refusal: ["The sign-in is not trustworthy", "Another provider has replied than the one that was asked."] };
    if (code === null) return { refusal: ["The identity provider has refused", (description ?? error ?? "It gave no reason.").slice(0, 300)] };
    return { code };
}
