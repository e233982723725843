import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { type Schemas, api, body, tagged } from "../../api/client";
import { type Problem, fromFailure } from "../../api/problem";
import { number } from "../../format";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { CopyAsCurl } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Input, errorOf } from "../../ui/form";
import { ProblemNote } from "../../ui/state";

const FIELDS = ["name", "max_agents", "max_contacts", "max_messages_month"] as const;
type Field = (typeof FIELDS)[number];
type Values = Record<Field, string>;

const NAMES: Record<Field, string> = { name: "Name", max_agents: "Agents", max_contacts: "Contacts", max_messages_month: "Messages a month" };

type Tenant = Pick<Schemas["Organization"], "id" | "name" | "limits">;

const shown = (value: number | null): string => (value === null ? "unlimited" : String(value));

const valuesOf = (tenant: Tenant): Values => ({
    name: tenant.name,
    max_agents: shown(tenant.limits.max_agents),
    max_contacts: shown(tenant.limits.max_contacts),
    max_messages_month: shown(tenant.limits.max_messages_month),
});

/** The fields that differ, as a patch. */
function patchOf(from: Values, to: Values): Schemas["TenantPatch"] {
    const patch: Schemas["TenantPatch"] = {};
    if (from.name !== to.name) patch.name = to.name;
    const limits: Record<string, number | null> = {};
    for (const field of FIELDS) {
        const text = to[field].trim();
        if (field !== "name" && from[field] !== to[field]) limits[field] = text === "unlimited" ? null : Number(text);
    }
    if (Object.keys(limits).length > 0) patch.limits = limits;
    return patch;
}

interface Props {
    tenant: Tenant;
    etag: string;
    onClose: () => void;
}

/** Edits a tenant. If somebody else changed it meanwhile, shows what was, what is, and what was typed. */
export function EditTenant({ tenant, etag, onClose }: Props) {
    const queries = useQueryClient();
    const [base, setBase] = useState({ values: valuesOf(tenant), etag });
    const [mine, setMine] = useState(base.values);
    const [theirs, setTheirs] = useState<{ values: Values; etag: string }>();
    const [problem, setProblem] = useState<Problem | null>(null);
    const [busy, setBusy] = useState(false);
    const patch = patchOf(base.values, mine);
    const isEmpty = Object.keys(patch).length === 0;
    const params = (tag: string) => ({ path: { id: tenant.id }, header: { "if-match": tag } });
    const save = async (event: FormEvent) => {
        event.preventDefault();
        if (busy || isEmpty) return;
        setBusy(true);
        setProblem(null);
        try {
            await body(api.PATCH("/api/super-admin/tenants/{id}", { params: params(base.etag), body: patch }));
            await Promise.all(["tenant", "tenants", "audit"].map((name) => queries.invalidateQueries({ queryKey: [name] })));
            announce("The tenant is changed");
            onClose();
        } catch (failure) {
            const found = fromFailure(failure);
            setProblem(found);
            if (found.status === 412) {
                const now = await tagged(api.GET("/api/super-admin/tenants/{id}", { params: { path: { id: tenant.id } } })).catch(() => undefined);
                if (now) setTheirs({ values: valuesOf(now.data), etag: now.etag });
            }
        } finally {
            setBusy(false);
        }
    };
    /** Goes on from the current state; fields that only the other side changed are theirs. */
    const resolve = (choice: "mine" | "theirs") => {
        if (!theirs) return;
        const merged = { ...theirs.values };
        for (const field of FIELDS) {
            const changedByMe = mine[field] !== base.values[field];
            const changedByThem = theirs.values[field] !== base.values[field];
            if (changedByMe && (choice === "mine" || !changedByThem)) merged[field] = mine[field];
        }
        setBase(theirs);
        setMine(merged);
        setTheirs(undefined);
        setProblem(null);
    };
    return (
        <Dialog open onClose={onClose} title="Edit name and limits" wide={theirs !== undefined}>
            {theirs ? (
                <Difference base={base.values} theirs={theirs.values} mine={mine} resolve={resolve} />
            ) : (
                <form onSubmit={(event) => void save(event)}>
                    {FIELDS.map((field) => (
                        <Input
                            key={field}
                            label={NAMES[field]}
                            required
                            maxLength={field === "name" ? 120 : 20}
                            inputMode={field === "name" ? undefined : "numeric"}
                            pattern={field === "name" ? undefined : "[0-9]+|unlimited"}
                            title={field === "name" ? undefined : "A number, or unlimited"}
                            hint={field === "name" || mine[field] === base.values[field] ? undefined : `was ${base.values[field]}`}
                            value={mine[field]}
                            error={errorOf(problem, field === "name" ? "/name" : `/limits/${field}`)}
                            onChange={(event) => setMine({ ...mine, [field]: event.target.value })}
                        />
                    ))}
                    <p className="hint">A limit below the current use stops nothing that exists; it prevents more.</p>
                    {problem && <ProblemNote problem={problem} />}
                    <div className="actions">
                        <Button type="submit" kind="primary" busy={busy} disabled={isEmpty}>
                            Save
                        </Button>
                        <Button onClick={onClose}>Cancel</Button>
                        <CopyAsCurl request={{ method: "PATCH", path: `/tenants/${tenant.id}`, body: { ...patch }, headers: { "if-match": base.etag } }} />
                    </div>
                </form>
            )}
        </Dialog>
    );
}

function Difference({ base, theirs, mine, resolve }: { base: Values; theirs: Values; mine: Values; resolve: (choice: "mine" | "theirs") => void }) {
    const differing = FIELDS.filter((field) => new Set([base[field], theirs[field], mine[field]]).size > 1);
    const readable = (field: Field, value: string) => (field === "name" || value === "unlimited" ? value : number(Number(value)));
    return (
        <>
            <p role="alert">Somebody else changed this tenant while you were editing. Nothing of yours is saved yet.</p>
            <table className="difference">
                <caption className="hidden">Differences</caption>
                <thead>
                    <tr>
                        <th scope="col">Field</th>
                        <th scope="col">When you began</th>
                        <th scope="col">Now</th>
                        <th scope="col">Yours</th>
                    </tr>
                </thead>
                <tbody>
                    {differing.map((field) => (
                        <tr key={field}>
                            <th scope="row">{NAMES[field]}</th>
                            <td>{readable(field, base[field])}</td>
                            <td className={theirs[field] === base[field] ? "" : "strong"}>{readable(field, theirs[field])}</td>
                            <td className={mine[field] === base[field] ? "" : "strong"}>{readable(field, mine[field])}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
            <div className="actions">
                <Button kind="primary" onClick={() => resolve("mine")}>
                    Keep mine where both changed
                </Button>
                <Button onClick={() => resolve("theirs")}>Take theirs where both changed</Button>
            </div>
        </>
    );
}
