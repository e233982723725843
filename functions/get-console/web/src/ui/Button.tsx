import type { ButtonHTMLAttributes } from "react";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
    kind?: "plain" | "primary" | "danger" | "ghost";
    busy?: boolean;
}

/** A busy button keeps the focus, and does nothing. */
export function Button({ kind = "plain", busy = false, onClick, type = "button", className = "", ...rest }: Props) {
    return (
        <button
            {...rest}
            type={type}
            className={`button button-${kind} ${className}`}
            aria-disabled={busy || undefined}
            aria-busy={busy || undefined}
            onClick={(event) => (busy ? event.preventDefault() : onClick?.(event))}
        />
    );
}
