// Signing in at the platform's identity provider, by an authorization code with PKCE (RFC 7636). The provider's page opens in a window of its
// own, so that this page keeps what was typed, and so that the secret of the request is in memory only. That window comes back to the
// console with a code, passes it on to this page, and closes.

import { type Attempt, type Provider, RETURN_PATH, type Reply, readReply, returnAddress, shortened } from "./authorization";
import { Problem } from "./problem";

export interface ProviderToken {
    access_token: string;
    /** Seconds. */
    expires_in: number;
}

const CHANNEL = "landlord-sign-in";
const TIMEOUT = 15_000;

/** The provider of this platform; `null` if people sign in with a password only. */
export async function readProvider(): Promise<Provider | null> {
    const response = await fetch("/console/sign-in.json", { signal: AbortSignal.timeout(TIMEOUT) });
    if (!response.ok) throw new Problem(response.status, "The console failed", "Whether there is an identity provider cannot be read.");
    return ((await response.json()) as { provider: Provider | null }).provider;
}

/** In the provider's window, after it has come back: passes the reply on, and keeps nothing of it. */
export function passOn(): void {
    const reply = readReply(location.search);
    history.replaceState(null, "", RETURN_PATH);
    const channel = new BroadcastChannel(CHANNEL);
    channel.postMessage(reply);
    channel.close();
    window.close();
}

/** Waits for the reply to an attempt. */
export function waitForReply(attempt: Attempt, signal: AbortSignal): Promise<Reply> {
    return new Promise((resolve, reject) => {
        const channel = new BroadcastChannel(CHANNEL);
        channel.onmessage = ({ data }: MessageEvent<Reply>) => {
            // Another tab may be signing in, too.
            if (data.state !== attempt.state) return;
            channel.close();
            resolve(data);
        };
        signal.addEventListener("abort", () => {
            channel.close();
            reject(signal.reason as Error);
        });
    });
}

/** Redeems a code for an access token. */
export async function redeem(provider: Provider, { verifier }: Attempt, code: string): Promise<ProviderToken> {
    const body = new URLSearchParams({ grant_type: "authorization_code", client_id: provider.client_id, redirect_uri: returnAddress(), code, code_verifier: verifier });
    let response: Response;
    try {
        response = await fetch(provider.token_url, { method: "POST", body, credentials: "omit", signal: AbortSignal.timeout(TIMEOUT) });
    } catch {
        throw new Problem(0, "No connection to the identity provider", "It cannot be reached, or it does not permit requests from the address of this console.");
    }
    const answer = (await response.json().catch(() => ({}))) as Partial<ProviderToken> & { error?: string; error_description?: string };
    if (!response.ok || !answer.access_token) throw new Problem(-1, "The identity provider has issued no token", shortened(answer.error_description ?? answer.error ?? `It responded with ${response.status}.`));
    return { access_token: answer.access_token, expires_in: answer.expires_in ?? secondsLeft(answer.access_token) };
}

/** Seconds until a token expires, which says so itself (RFC 9068). */
function secondsLeft(token: string): number {
    const payload = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const { exp } = JSON.parse(atob(payload)) as { exp: number };
    return Math.max(0, exp - Date.now() / 1000);
}
