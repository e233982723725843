import { useState } from "react";

import { api, body, tagged } from "../../api/client";
import { useRenew } from "../../api/useRenew";
import { number } from "../../format";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { FormDialog } from "../../ui/FormDialog";
import { Input, LimitInput, errorOf } from "../../ui/form";
import { useSubmit } from "../../ui/useSubmit";
import { ON_LIMIT, OnLimitSelect } from "../tenants/OnLimitSelect";
import { type Editable, type Field, LIMITS, type Values, differing, merged, patchOf, valuesOf } from "./tenantValues";

const NAMES: Record<Field, string> = { name: "Name", max_agents: "Agents", max_contacts: "Contacts", max_messages_month: "Messages a month", on_limit: "When a limit is reached" };

interface Props {
    tenant: Editable;
    etag: string;
    onClose: () => void;
}

/** Edits a tenant. If somebody else changed it meanwhile, shows what was, what is, and what was typed. */
export function EditTenant({ tenant, etag, onClose }: Props) {
    const renew = useRenew();
    const [base, setBase] = useState({ values: valuesOf(tenant), etag });
    const [mine, setMine] = useState(base.values);
    const [theirs, setTheirs] = useState<{ values: Values; etag: string }>();
    const { busy, problem, setProblem, submit } = useSubmit();
    const patch = patchOf(base.values, mine);
    const isEmpty = !patch || Object.keys(patch).length === 0;
    const path = { id: tenant.id };
    const readTheirs = () =>
        submit(async () => {
            const now = await tagged(api.GET("/api/super-admin/tenants/{id}", { params: { path } }));
            setTheirs({ values: valuesOf(now.data), etag: now.etag });
        });
    const save = async () => {
        const outcome = await submit(() => body(api.PATCH("/api/super-admin/tenants/{id}", { params: { path, header: { "if-match": base.etag } }, body: patch ?? {} })));
        if (!outcome.done) {
            if (outcome.problem?.status === 412) await readTheirs();
            return;
        }
        onClose();
        announce("The tenant is changed");
        await renew("tenant", "tenants", "audit");
    };
    /** Goes on from the current state; fields that only the other side changed are theirs. */
    const resolve = (choice: "mine" | "theirs") => {
        if (!theirs) return;
        setBase(theirs);
        setMine(merged(base.values, theirs.values, mine, choice));
        setTheirs(undefined);
        setProblem(null);
    };
    if (theirs) {
        return (
            <Dialog open onClose={onClose} title={TITLE} wide>
                <Difference base={base.values} theirs={theirs.values} mine={mine} resolve={resolve} />
            </Dialog>
        );
    }
    return (
        <FormDialog
            title={TITLE}
            onClose={onClose}
            onSubmit={() => void save()}
            action="Save"
            busy={busy}
            disabled={isEmpty}
            problem={problem}
            request={{ operation: "PATCH /tenants/{id}", ids: [tenant.id], body: { ...patch }, headers: { "if-match": base.etag } }}
        >
            <Input label={NAMES.name} required maxLength={120} value={mine.name} error={errorOf(problem, "/name")} onChange={(event) => setMine({ ...mine, name: event.target.value })} />
            {LIMITS.map((field) => (
                <LimitInput
                    key={field}
                    label={NAMES[field]}
                    required
                    hint={mine[field] === base.values[field] ? undefined : `was ${base.values[field]}`}
                    value={mine[field]}
                    error={errorOf(problem, `/limits/${field}`)}
                    onChange={(event) => setMine({ ...mine, [field]: event.target.value })}
                />
            ))}
            <OnLimitSelect value={mine.on_limit} problem={problem} onChange={(on_limit) => setMine({ ...mine, on_limit })} />
            <p className="hint">A limit below the current use removes nothing; it prevents more.</p>
        </FormDialog>
    );
}

const TITLE = "Edit name and limits";

function Difference({ base, theirs, mine, resolve }: { base: Values; theirs: Values; mine: Values; resolve: (choice: "mine" | "theirs") => void }) {
    const readable = (field: Field, values: Values) => {
        if (field === "on_limit") return ON_LIMIT[values.on_limit].name;
        return field === "name" || values[field] === "unlimited" ? values[field] : number(Number(values[field]));
    };
    return (
        <>
            <p role="alert">Somebody else changed this tenant while you were editing. None of your changes is saved yet.</p>
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
                    {differing(base, theirs, mine).map((field) => (
                        <tr key={field}>
                            <th scope="row">{NAMES[field]}</th>
                            <td>{readable(field, base)}</td>
                            <td className={theirs[field] === base[field] ? "" : "strong"}>{readable(field, theirs)}</td>
                            <td className={mine[field] === base[field] ? "" : "strong"}>{readable(field, mine)}</td>
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
