import { Link, type LinkProps } from "@tanstack/react-router";

import { countText } from "../../format";

interface Props extends Pick<LinkProps, "to" | "search"> {
    name: string;
    /** `null`: unknown. */
    value: number | null;
    /** The number was counted up to a limit, and more exist. */
    isAtLeast?: boolean;
    /** Why the number is unknown. */
    unknown?: string;
}

/** A number with its name. One that is unknown is shown as unknown, and not as 0. */
export function Figure({ name, value, isAtLeast = false, unknown, to, search }: Props) {
    const content = (
        <>
            <span className="figure-value">{value === null ? "?" : countText({ value, exact: !isAtLeast })}</span>
            <span className="figure-name">{name}</span>
            {value === null && <span className="field-error">{unknown ?? "unknown"}</span>}
        </>
    );
    if (to === undefined) return <span className="figure">{content}</span>;
    return (
        <Link to={to} search={search} className="figure">
            {content}
        </Link>
    );
}
