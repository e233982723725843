import { useRef } from "react";

/**
 * Keys of requests that create something. The same request has the same key until `forget`, so that repeating it after its response was
 * lost has no second effect; another request has another key.
 */
export function useIdempotencyKey() {
    const last = useRef<{ key: string; request: string }>(undefined);
    const keyOf = (request: unknown): string => {
        const text = JSON.stringify(request);
        if (last.current?.request !== text) last.current = { key: crypto.randomUUID(), request: text };
        return last.current.key;
    };
    const forget = () => {
        last.current = undefined;
    };
    return { keyOf, forget };
}
