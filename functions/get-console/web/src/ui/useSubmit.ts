import { useRef, useState } from "react";

import { type Problem, fromFailure } from "../api/problem";

/** Sends a request once at a time, and keeps its problem. The form, and what was typed, stays as it is. */
export function useSubmit() {
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState<Problem | null>(null);
    // Two events can arrive before the next render.
    const running = useRef(false);
    /** Returns the problem, if there was one. */
    const submit = async (send: () => Promise<unknown>): Promise<Problem | undefined> => {
        if (running.current) return undefined;
        running.current = true;
        setBusy(true);
        setProblem(null);
        try {
            await send();
            return undefined;
        } catch (failure) {
            const found = fromFailure(failure);
            setProblem(found);
            return found;
        } finally {
            running.current = false;
            setBusy(false);
        }
    };
    return { busy, problem, setProblem, submit };
}
