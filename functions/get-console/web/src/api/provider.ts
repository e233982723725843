// Signing in at the platform's identity provider, by an authorization code with PKCE (RFC 7636). The provider's page opens in a window of its
// own, so that this page keeps what was typed, and so that the secret of the request is in memory only. That window comes back to the
// console with a code, passes it on to this page, and closes.

import { type Schemas, api, body } from "./client";
import { type Attempt, type Provider, RETURN_PATH, type Reply, readReply, returnAddress } from "./codeRequest";
import { Problem } from "./problem";

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
export const redeem = ({ verifier }: Attempt, code: string): Promise<Schemas["ProviderToken"]> =>
    body(api.POST("/api/super-admin/auth/exchange", { body: { code, code_verifier: verifier, redirect_uri: returnAddress() } }));
