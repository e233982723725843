import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { type Schemas, api, body } from "../../api/client";
import { type Problem, fromFailure } from "../../api/problem";
import { number } from "../../format";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Badge, Name } from "../../ui/data";
import { Input } from "../../ui/form";
import type { TenantRow } from "./Tenants";

type Change = Schemas["TenantPatch"];
type Figure = keyof Schemas["Limits"];

const LIMITS: [Figure, string][] = [
    ["max_agents", "Agents"],
    ["max_contacts", "Contacts"],
    ["max_messages_month", "Messages a month"],
];

/** What a change would do to a tenant, or why it cannot. */
function preview(tenant: TenantRow, change: Change): { text: string; possible: boolean } {
    if (change.status) {
        const from = change.status === "suspended" ? "active" : "suspended";
        if (tenant.status !== from) return { text: `stays ${tenant.status}`, possible: false };
        return { text: `${from} → ${change.status}`, possible: true };
    }
    const parts = LIMITS.flatMap(([name, label]) => {
        const next = change.limits?.[name];
        if (next === undefined || next === tenant.limits[name]) return [];
        const shown = (value: number | null) => (value === null ? "unlimited" : number(value));
        return [`${label.toLowerCase()} ${shown(tenant.limits[name])} → ${shown(next)}`];
    });
    return parts.length > 0 ? { text: parts.join(", "), possible: true } : { text: "nothing changes", possible: false };
}

/** Changes of several tenants at once: first what will happen to each, then what did. */
export function Bulk({ tenants }: { tenants: TenantRow[] }) {
    const [act, setAct] = useState<"suspend" | "reactivate" | "limits">();
    return (
        <>
            <Button onClick={() => setAct("suspend")}>Suspend…</Button>
            <Button onClick={() => setAct("reactivate")}>Reactivate…</Button>
            <Button onClick={() => setAct("limits")}>Change limits…</Button>
            {act && <BulkDialog tenants={tenants} act={act} onClose={() => setAct(undefined)} />}
        </>
    );
}

function BulkDialog({ tenants, act, onClose }: { tenants: TenantRow[]; act: "suspend" | "reactivate" | "limits"; onClose: () => void }) {
    const queries = useQueryClient();
    const [limits, setLimits] = useState<Partial<Record<Figure, string>>>({});
    const [results, setResults] = useState<Record<string, "done" | Problem>>({});
    const [busy, setBusy] = useState(false);
    const change: Change =
        act === "limits"
            ? { limits: Object.fromEntries(Object.entries(limits).filter(([, text]) => text !== "").map(([name, text]) => [name, text === "unlimited" ? null : Number(text)])) }
            : { status: act === "suspend" ? "suspended" : "active" };
    const possible = tenants.filter((tenant) => preview(tenant, change).possible && results[tenant.id] !== "done");
    const run = async () => {
        setBusy(true);
        // One after the other, so that a mistake can be stopped and no limit of the API is reached.
        for (const tenant of possible) {
            let result: "done" | Problem = "done";
            try {
                await body(api.PATCH("/api/super-admin/tenants/{id}", { params: { path: { id: tenant.id } }, body: change }));
            } catch (failure) {
                result = fromFailure(failure);
            }
            setResults((before) => ({ ...before, [tenant.id]: result }));
        }
        setBusy(false);
        announce("All chosen tenants are processed");
        await queries.invalidateQueries({ queryKey: ["tenants"] });
    };
    const title = { suspend: "Suspend tenants", reactivate: "Reactivate tenants", limits: "Change limits of tenants" }[act];
    return (
        <Dialog open onClose={onClose} title={title} wide persistent={busy}>
            {act === "suspend" && (
                <ul className="consequences">
                    <li>Users of the tenants cannot work until they are reactivated.</li>
                    <li>Impersonations in them end at once.</li>
                    <li>No data are removed.</li>
                </ul>
            )}
            {act === "limits" && (
                <div className="form-row">
                    {LIMITS.map(([name, label]) => (
                        <Input key={name} label={label} value={limits[name] ?? ""} onChange={(event) => setLimits({ ...limits, [name]: event.target.value })} pattern="[0-9]+|unlimited" hint="A number, unlimited, or empty: as it is" />
                    ))}
                </div>
            )}
            <table className="difference">
                <thead>
                    <tr>
                        <th>Tenant</th>
                        <th>What will happen</th>
                        <th>Result</th>
                    </tr>
                </thead>
                <tbody>
                    {tenants.map((tenant) => {
                        const result = results[tenant.id];
                        return (
                            <tr key={tenant.id}>
                                <td>
                                    <Name>{tenant.name}</Name> <span className="muted">{tenant.slug}</span>
                                </td>
                                <td>{preview(tenant, change).text}</td>
                                <td>{result === undefined ? "" : result === "done" ? <Badge value="done" /> : <span className="field-error">{result.detail}</span>}</td>
                            </tr>
                        );
                    })}
                </tbody>
            </table>
            <div className="actions">
                <Button kind={act === "suspend" ? "danger" : "primary"} busy={busy} disabled={possible.length === 0} onClick={() => void run()}>
                    {`${act === "suspend" ? "Suspend" : act === "reactivate" ? "Reactivate" : "Change"} ${possible.length} of ${tenants.length}`}
                </Button>
                <Button onClick={onClose} disabled={busy}>
                    Close
                </Button>
            </div>
        </Dialog>
    );
}
