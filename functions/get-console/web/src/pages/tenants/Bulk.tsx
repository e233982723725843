import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";

import { changeInLists } from "../../api/lists";
import { useRenew } from "../../api/useRenew";
import { number } from "../../format";
import { readLimit } from "../../limits";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { CopyAsCommand } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Badge, Name } from "../../ui/data";
import { Input, LimitInput } from "../../ui/form";
import { type Change, type Figure, LIMITS, type Result, type Snapshot, applyTo, preview } from "./bulkChange";
import { OnLimitSelect } from "./OnLimitSelect";
import { SuspensionFields, UNEXPLAINED, suspensionOf } from "./SuspensionFields";
import type { TenantRow } from "./readTenants";

type BulkAct = "suspend" | "reactivate" | "limits";

const TITLES: Record<BulkAct, string> = { suspend: "Suspend tenants", reactivate: "Reactivate tenants", limits: "Change limits of tenants" };
const VERBS: Record<BulkAct, string> = { suspend: "Suspend", reactivate: "Reactivate", limits: "Change" };

/** Changes of several tenants at once: first what will happen to each, then what happened. */
export function Bulk({ tenants }: { tenants: TenantRow[] }) {
    const [open, setOpen] = useState<{ act: BulkAct; tenants: TenantRow[] }>();
    return (
        <>
            <Button onClick={() => setOpen({ act: "suspend", tenants })}>Suspend…</Button>
            <Button onClick={() => setOpen({ act: "reactivate", tenants })}>Reactivate…</Button>
            <Button onClick={() => setOpen({ act: "limits", tenants })}>Change limits…</Button>
            {open && <BulkDialog {...open} onClose={() => setOpen(undefined)} />}
        </>
    );
}

/** The typed limits as a change, and what happens at one. Without a change if a field is wrong or nothing is chosen. */
function changeOf(limits: Partial<Record<Figure, string>>, onLimit: Change["on_limit"]): Change | undefined {
    const read = LIMITS.map(([name]) => [name, readLimit(limits[name] ?? "")] as const);
    const given = read.flatMap(([name, { value }]) => (value === undefined ? [] : [[name, value] as const]));
    if (read.some(([, { error }]) => error) || (given.length === 0 && !onLimit)) return undefined;
    return { ...(given.length > 0 ? { limits: Object.fromEntries(given) } : {}), ...(onLimit ? { on_limit: onLimit } : {}) };
}

/** Applies a change to one tenant after the other, so that it can be stopped between two. */
function useBulk(tenants: TenantRow[], change: Change | undefined) {
    const queries = useQueryClient();
    const renew = useRenew();
    const [states, setStates] = useState<ReadonlyMap<string, Snapshot>>(() => new Map(tenants.map((tenant) => [tenant.id, tenant])));
    const [results, setResults] = useState<ReadonlyMap<string, Result>>(new Map());
    const [progress, setProgress] = useState<{ done: number; of: number; stopping: boolean }>();
    const stopped = useRef(false);
    // Two events can arrive before the next render.
    const running = useRef(false);
    const possible = change ? [...states.values()].filter((state) => preview(state, change).possible) : [];
    const run = async () => {
        if (!change || running.current) return;
        running.current = true;
        stopped.current = false;
        const outcomes: Result["outcome"][] = [];
        for (const state of possible) {
            if (stopped.current) break;
            setProgress({ done: outcomes.length, of: possible.length, stopping: false });
            const result = await applyTo(state, change);
            const { now } = result;
            outcomes.push(result.outcome);
            setResults((before) => new Map(before).set(state.id, result));
            if (now) {
                setStates((before) => new Map(before).set(state.id, now));
                changeInLists<TenantRow>(queries, "tenants", now.id, (row) => ({ ...row, name: now.name, status: now.status, limits: now.limits, on_limit: now.on_limit }));
            }
            if (result.isGeneral) break;
        }
        running.current = false;
        setProgress(undefined);
        const changed = outcomes.filter((outcome) => outcome === "changed").length;
        announce(`${number(changed)} of ${number(possible.length)} tenants are changed${outcomes.length < possible.length ? "; the rest was not attempted" : ""}`);
        await renew("tenants", "tenant", "audit", "impersonations");
    };
    const stop = () => {
        stopped.current = true;
        setProgress((before) => before && { ...before, stopping: true });
    };
    return { states, results, progress, possible, run, stop };
}

function BulkDialog({ tenants, act, onClose }: { tenants: TenantRow[]; act: BulkAct; onClose: () => void }) {
    const [limits, setLimits] = useState<Partial<Record<Figure, string>>>({});
    const [onLimit, setOnLimit] = useState<Change["on_limit"]>();
    const [typed, setTyped] = useState("");
    const [why, setWhy] = useState(UNEXPLAINED);
    const changes: Record<BulkAct, Change | undefined> = { suspend: suspensionOf(why), reactivate: { status: "active" }, limits: changeOf(limits, onLimit) };
    const change = changes[act];
    const { states, results, progress, possible, run, stop } = useBulk(tenants, change);
    const busy = progress !== undefined;
    const confirmed = act !== "suspend" || typed.trim() === String(possible.length);
    return (
        <Dialog open onClose={onClose} title={TITLES[act]} wide persistent={busy}>
            <form
                onSubmit={(event) => {
                    event.preventDefault();
                    if (busy || !confirmed || possible.length === 0) return;
                    setTyped("");
                    void run();
                }}
            >
                {act === "suspend" && (
                    <>
                        <ul className="consequences">
                            <li>Users of the tenants cannot work until they are reactivated.</li>
                            <li>The platform's services lose their access to the tenants' databases.</li>
                            <li>Impersonations in them end at once.</li>
                            <li>No data are removed.</li>
                        </ul>
                        <SuspensionFields why={why} onChange={setWhy} disabled={busy} />
                    </>
                )}
                {act === "limits" && (
                    <>
                        <div className="form-row">
                            {LIMITS.map(([name, label]) => (
                                <LimitInput key={name} label={label} value={limits[name] ?? ""} disabled={busy} onChange={(event) => setLimits({ ...limits, [name]: event.target.value })} hint="A number, unlimited, or empty for no change" />
                            ))}
                        </div>
                        <OnLimitSelect value={onLimit} disabled={busy} onChange={setOnLimit} optional />
                    </>
                )}
                <table className="difference">
                    <thead>
                        <tr>
                            <th scope="col">Tenant</th>
                            <th scope="col">What will happen</th>
                            <th scope="col">Result</th>
                        </tr>
                    </thead>
                    <tbody>
                        {tenants.map((tenant) => (
                            <Row key={tenant.id} tenant={tenant} state={states.get(tenant.id) ?? tenant} change={change} result={results.get(tenant.id)} />
                        ))}
                    </tbody>
                </table>
                {act === "suspend" && possible.length > 0 && !busy && <Input label={`Type ${possible.length}, the number of tenants, to confirm`} inputMode="numeric" autoComplete="off" value={typed} onChange={(event) => setTyped(event.target.value)} />}
                <p role="status" className="muted">
                    {progress && `${number(progress.done)} of ${number(progress.of)} processed${progress.stopping ? "; stopping after the current one" : ""}`}
                </p>
                <div className="actions">
                    <Button type="submit" kind={act === "suspend" ? "danger" : "primary"} busy={busy} disabled={possible.length === 0 || (!confirmed && !busy)}>
                        {`${VERBS[act]} ${possible.length} of ${tenants.length}`}
                    </Button>
                    {busy ? <Button onClick={stop}>Stop</Button> : <Button onClick={onClose}>Close</Button>}
                    {change && possible.length > 0 && <CopyAsCommand request={possible.map(({ id }) => ({ operation: "PATCH /tenants/{id}", ids: [id], body: { ...change } }))} />}
                </div>
            </form>
        </Dialog>
    );
}

const TONES = { changed: "ok", skipped: "quiet", conflict: "warn", failed: "danger" } as const;

function Row({ tenant, state, change, result }: { tenant: TenantRow; state: Snapshot; change: Change | undefined; result: Result | undefined }) {
    return (
        <tr>
            <th scope="row">
                <Name>{tenant.name}</Name> <span className="muted">{tenant.slug}</span>
            </th>
            <td>{result?.outcome === "changed" ? result.text : change ? preview(state, change).text : ""}</td>
            <td>
                {result && <Badge value={result.outcome} tone={TONES[result.outcome]} />}
                {result && result.outcome !== "changed" && <span className="small"> {result.text}</span>}
            </td>
        </tr>
    );
}
