import { useRouter } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef, useState } from "react";

import { Input } from "./form";

/** The filters of a list. They are in the URL. */
export function Filters({ children, count }: { children: ReactNode; count?: ReactNode }) {
    return (
        <search className="filters">
            {children}
            <p className="count" role="status">
                {count}
            </p>
        </search>
    );
}

/** The longest text that the API searches for. */
const MAX_SEARCH = 120;

/** A text that takes effect when its typing pauses. */
export function SearchField({ label, value, onChange, hint }: { label: string; value: string; onChange: (value: string) => void; hint?: string }) {
    const [typed, setTyped] = useState(value);
    // The texts that were passed on and have not come back as `value` yet, after the one that is `value`.
    const sent = useRef([value]);
    const latest = useRef(onChange);
    latest.current = onChange;
    const router = useRouter();
    const path = useRef(router.latestLocation.pathname);
    useEffect(() => {
        const at = sent.current.indexOf(value);
        if (at >= 0) {
            // Our own text came back. More may have been typed since.
            sent.current.splice(0, at);
        } else {
            // Something else changed it, such as the browser's button to go back.
            sent.current = [value];
            setTyped(value);
        }
    }, [value]);
    useEffect(() => {
        if (typed === sent.current.at(-1)) return;
        const timer = setTimeout(() => {
            // A person who follows a link meanwhile must not be brought back.
            if (router.latestLocation.pathname !== path.current) return;
            sent.current.push(typed);
            latest.current(typed);
        }, 250);
        return () => clearTimeout(timer);
    }, [typed, router]);
    return <Input type="search" label={label} hint={hint} value={typed} onChange={(event) => setTyped(event.target.value)} spellCheck={false} maxLength={MAX_SEARCH} />;
}
