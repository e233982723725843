import { useEffect, useRef, useState } from "react";

import type { Schemas } from "../api/client";
import { type Attempt, type Provider, outcomeOf, prepare } from "../api/codeRequest";
import { Problem } from "../api/problem";
import { readProvider, redeem, waitForReply } from "../api/provider";
import { Button } from "../ui/Button";
import { ProblemNote } from "../ui/state";
import { useSubmit } from "../ui/useSubmit";

/** Read once for all forms; again after a failure. */
let known: Promise<Provider | null> | undefined;

function useProvider(): Provider | null {
    const [provider, setProvider] = useState<Provider | null>(null);
    useEffect(() => {
        known ??= readProvider();
        // Without an answer, the form with the password still works.
        known.then(setProvider, () => (known = undefined));
    }, []);
    return provider;
}

/** Signs in at the identity provider, if the platform has one. */
export function ProviderSignIn({ begin }: { begin: (token: Schemas["ProviderToken"]) => Promise<void> }) {
    const provider = useProvider();
    const [attempt, setAttempt] = useState<Attempt>();
    const { busy, problem, submit } = useSubmit();
    const waiting = useRef<AbortController>(undefined);
    // Before the click, because a browser lets only a click itself open a window.
    useEffect(() => {
        // Without an encrypted connection, the browser offers no digest, and the password remains.
        if (provider) prepare(provider).then(setAttempt, () => undefined);
    }, [provider]);
    useEffect(() => () => waiting.current?.abort(), []);
    if (!provider || !attempt) return null;
    const run = () =>
        submit(async () => {
            const controller = new AbortController();
            waiting.current = controller;
            try {
                const reply = waitForReply(attempt, controller.signal);
                if (!window.open(attempt.url, "_blank", "popup,width=520,height=680")) {
                    controller.abort();
                    await reply.catch(() => undefined);
                    throw new Problem(-1, "The window was not opened", "This browser blocks it. Permit windows of this console, and try again.");
                }
                const outcome = outcomeOf(await reply, provider);
                if ("refusal" in outcome) throw new Problem(-1, ...outcome.refusal);
                await begin(await redeem(attempt, outcome.code));
            } catch (failure) {
                if (!controller.signal.aborted || failure instanceof Problem) throw failure;
            } finally {
                // Each attempt has its own secret. Until there is another, the button stays, and keeps the focus.
                setAttempt(await prepare(provider));
            }
        });
    return (
        <div className="sign-in-form">
            <Button busy={busy} onClick={() => void run()}>
                Continue with {new URL(provider.authorization_url).host}
            </Button>
            {busy && (
                <p role="status">
                    Go on in the window of the identity provider. <Button kind="ghost" onClick={() => waiting.current?.abort()}>Cancel</Button>
                </p>
            )}
            {problem && <ProblemNote problem={problem} />}
        </div>
    );
}
