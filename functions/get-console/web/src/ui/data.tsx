import type { ReactNode } from "react";

import { local, number, percent, sentence, utc, visible } from "../format";
import { Copy } from "./Copy";

type Tone = "ok" | "warn" | "danger" | "info" | "quiet";

const TONES: Record<string, Tone> = {
    active: "ok", succeeded: "ok", done: "ok", up: "ok", healthy: "ok", operational: "ok", live: "ok", complete: "ok",
    provisioning: "info", running: "info", pending: "info", intended: "info",
    suspended: "warn", undoing: "warn", degraded: "warn", undone: "warn", deleting: "warn", keep: "warn", write: "warn", refused: "warn",
    failed: "danger", down: "danger", unhealthy: "danger",
};

/** A status: a word with a colour, never a colour alone. */
export function Badge({ value, tone }: { value: string; tone?: Tone }) {
    return <span className={`badge badge-${tone ?? TONES[value] ?? "quiet"}`}>{sentence(value)}</span>;
}

/** A time in UTC, with the local one on request and in `both` beside it. */
export function Time({ value, both, seconds }: { value: string | null | undefined; both?: boolean; seconds?: boolean }) {
    if (!value) return <span className="muted">none</span>;
    const date = new Date(value);
    return (
        <time dateTime={value} title={local(date, true)}>
            {utc(date, seconds)}
            {both && date.getTimezoneOffset() !== 0 && <span className="muted"> ({local(date, seconds)})</span>}
        </time>
    );
}

export function Id({ value, label = "id" }: { value: string; label?: string }) {
    return (
        <span className="id">
            <code>{value}</code>
            <Copy text={value} label={`Copy the ${label}`} />
        </span>
    );
}

/** A name that somebody typed. Its direction does not leak into its surroundings. */
export function Name({ children }: { children: string }) {
    return (
        <bdi className="name" title={visible(children)}>
            {visible(children)}
        </bdi>
    );
}

/** A figure against its limit. */
export function Meter({ label, value, limit, format = number }: { label: string; value: number | null; limit: number | null; format?: (value: number) => string }) {
    if (value === null) return <span className="muted">not measured{limit === null ? "" : ` / ${format(limit)}`}</span>;
    if (limit === null) return <span className="meter-text">{format(value)}</span>;
    const share = limit === 0 ? (value > 0 ? 1 : 0) : value / limit;
    const tone = share > 1 ? "danger" : share >= 0.8 ? "warn" : "ok";
    return (
        <span className="meter" role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={Math.max(limit, value)} aria-valuenow={value} aria-valuetext={`${format(value)} of ${format(limit)}, ${percent(share)}`}>
            <span className="meter-text" aria-hidden="true">
                {format(value)} <span className="muted">/ {format(limit)}</span>
            </span>
            <span className={`bar bar-${tone}`} aria-hidden="true">
                <span className="bar-front" style={{ transform: `scaleX(${Math.min(share, 1)})` }} />
            </span>
        </span>
    );
}

export function Facts({ facts }: { facts: [string, ReactNode][] }) {
    return (
        <dl className="facts">
            {facts.map(([name, value]) => (
                <div key={name}>
                    <dt>{name}</dt>
                    <dd>{value}</dd>
                </div>
            ))}
        </dl>
    );
}

export function Card({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
    return (
        <section className="card" aria-label={title}>
            <header className="card-head">
                <h2>{title}</h2>
                {aside}
            </header>
            {children}
        </section>
    );
}
