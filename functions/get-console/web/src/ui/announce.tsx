import { useSyncExternalStore } from "react";

interface Notice {
    id: number;
    text: string;
}

let notices: Notice[] = [];
let next = 0;
const listeners = new Set<() => void>();

function change(changed: Notice[]) {
    notices = changed;
    listeners.forEach((listener) => listener());
}

/** Says what happened, to eyes and to screen readers. */
export function announce(text: string): void {
    const id = next++;
    change([...notices, { id, text }].slice(-3));
    setTimeout(() => change(notices.filter((notice) => notice.id !== id)), 6000);
}

export function Notices() {
    const shown = useSyncExternalStore(
        (listener) => {
            listeners.add(listener);
            return () => listeners.delete(listener);
        },
        () => notices,
    );
    return (
        <div className="notices" role="status" aria-live="polite">
            {shown.map((notice) => (
                <p key={notice.id} className="notice">
                    {notice.text}
                </p>
            ))}
        </div>
    );
}
