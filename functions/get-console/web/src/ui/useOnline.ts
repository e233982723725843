import { useSyncExternalStore } from "react";

export function useOnline(): boolean {
    return useSyncExternalStore(
        (listener) => {
            window.addEventListener("online", listener);
            window.addEventListener("offline", listener);
            return () => {
                window.removeEventListener("online", listener);
                window.removeEventListener("offline", listener);
            };
        },
        () => navigator.onLine,
    );
}

