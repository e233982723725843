import { type ReactNode, useEffect, useState } from "react";

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
    useEffect(() => setTyped(value), [value]);
    useEffect(() => {
        if (typed === value) return;
        const timer = setTimeout(() => onChange(typed), 250);
        return () => clearTimeout(timer);
    }, [typed, value, onChange]);
    return <Input type="search" label={label} hint={hint} value={typed} onChange={(event) => setTyped(event.target.value)} spellCheck={false} maxLength={200} />;
}
