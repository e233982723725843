import { Link, type LinkProps } from "@tanstack/react-router";

import { fromFailure } from "../../api/problem";
import { countText } from "../../format";

/** A number, which may be one that was counted up to a limit. */
export interface Count {
    value: number;
    exact: boolean;
}

interface Read {
    data: Count | undefined;
    error: unknown;
}

/** A number with its name. One that could not be read, or not again, is marked. */
export function Figure({ name, read, to, search }: { name: string; read: Read } & Pick<LinkProps, "to" | "search">) {
    const problem = read.error ? fromFailure(read.error) : undefined;
    const isOld = problem !== undefined && read.data !== undefined;
    return (
        <Link to={to} search={search} className="figure" title={problem?.message}>
            <span className="figure-value">{read.data ? countText(read.data) : problem ? "?" : "…"}</span>
            <span className="figure-name">{name}</span>
            {problem && <span className="field-error">{isOld ? "old: could not be read again" : "could not be read"}</span>}
        </Link>
    );
}
