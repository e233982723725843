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

/** A text that takes effect when its typing pauses. */
export function SearchField({ label, value, onChange, hint }: { label: string; value: string; onChange: (value: string) => void; hint?: string }) {
    const [typed, setTyped] = useState(value);
    const router = useRouter();
    const path = useRef(router.latestLocation.pathname);
    useEffect(() => setTyped(value), [value]);
    useEffect(() => {
        if (typed === value) return;
        const timer = setTimeout(() => {
            // Somebody who follows a link meanwhile must not be brought back.
            if (router.latestLocation.pathname === path.current) onChange(typed);
        }, 250);
        return () => clearTimeout(timer);
    }, [typed, value, onChange, router]);
    return <Input type="search" label={label} hint={hint} value={typed} onChange={(event) => setTyped(event.target.value)} spellCheck={false} maxLength={200} />;
}
