import { useRef, useState } from "react";

import { type Problem, fromFailure } from "../api/problem";

/** `done`: the request succeeded. Without a problem, it was not sent, because another one is running. */
type Outcome = { done: true } | { done: false; problem?: Problem };

/** Sends a request once at a time, and keeps its problem. The form, and what was typed, stays as it is. */
export function useSubmit() {
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState<Problem | null>(null);
    // Two events can arrive before the next render.
    const running = useRef(false);
    const submit = async (send: () => Promise<unknown>): Promise<Outcome> => {
        if (running.current) return { done: false };
        running.current = true;
        setBusy(true);
        setProblem(null);
        try {
            await send();
            return { done: true };
        } catch (failure) {
            const found = fromFailure(failure);
            setProblem(found);
            return { done: false, problem: found };
        } finally {
            running.current = false;
            setBusy(false);
        }
    };
    return { busy, problem, setProblem, submit };
}
