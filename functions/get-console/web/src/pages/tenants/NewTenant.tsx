import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useRef, useState } from "react";

import { useMay } from "../../api/acts";
import { type Schemas, api, body } from "../../api/client";
import { values } from "../../api/generated/operations";
import { type Problem, fromFailure } from "../../api/problem";
import { Button } from "../../ui/Button";
import { CopyAsCurl } from "../../ui/Copy";
import { Page } from "../../ui/Page";
import { Card, Name } from "../../ui/data";
import { Input, Select, errorOf } from "../../ui/form";
import { Empty, ProblemNote } from "../../ui/state";
import { LiveOperation } from "../operations/Steps";

const REGIONS = new Intl.DisplayNames("en", { type: "region" });
const COUNTRIES = values.Country.map((code) => [code, `${REGIONS.of(code) ?? code} (${code})`] as const).toSorted((a, b) => a[1].localeCompare(b[1]));

const suggested = (name: string): string =>
    name
        .normalize("NFKD")
        .toLowerCase()
        .replaceAll(/[^a-z0-9]+/g, "-")
        .replaceAll(/^-|-$/g, "")
        .slice(0, 48);

/** `undefined`: the platform's default; `null`: unlimited. */
function limit(text: string): number | null | undefined {
    const trimmed = text.trim();
    if (trimmed === "") return undefined;
    return trimmed === "unlimited" ? null : Number(trimmed);
}

export function NewTenant() {
    const may = useMay("POST /tenants");
    const queries = useQueryClient();
    const [form, setForm] = useState({ name: "", slug: "", country: "ID", agents: "", contacts: "", messages: "", email: "", password: "" });
    const [slugTyped, setSlugTyped] = useState(false);
    const [problem, setProblem] = useState<Problem | null>(null);
    const [busy, setBusy] = useState(false);
    const [created, setCreated] = useState<Schemas["OrganizationWithOperation"]>();
    // The same key again: a request whose answer was lost does not create a second tenant.
    const key = useRef<{ key: string; of: string }>(undefined);
    const set = (change: Partial<typeof form>) => setForm({ ...form, ...change });
    const request: Schemas["TenantRequest"] = {
        name: form.name,
        slug: form.slug,
        country: form.country as Schemas["Country"],
        limits: { max_agents: limit(form.agents), max_contacts: limit(form.contacts), max_messages_month: limit(form.messages) },
        admin_email: form.email,
        admin_password: form.password,
    };
    const submit = async (event: FormEvent) => {
        event.preventDefault();
        if (busy) return;
        setBusy(true);
        setProblem(null);
        const text = JSON.stringify(request);
        if (key.current?.of !== text) key.current = { key: crypto.randomUUID(), of: text };
        try {
            setCreated(await body(api.POST("/api/super-admin/tenants", { body: request, params: { header: { "idempotency-key": key.current.key } } })));
            await queries.invalidateQueries({ queryKey: ["tenants"] });
        } catch (failure) {
            setProblem(fromFailure(failure));
        } finally {
            setBusy(false);
        }
    };
    const above = <Link to="/tenants">Tenants</Link>;
    if (!may) {
        return (
            <Page title="Create a tenant" above={above}>
                <Empty title="Your role does not permit this" />
            </Page>
        );
    }
    if (created) {
        return (
            <Page title={created.name} above={above}>
                <Card title="Provisioning">
                    <p>
                        <Name>{created.name}</Name> is recorded. Its databases are created in the background; you may leave this page.
                    </p>
                    <LiveOperation id={created.operation_id} />
                    <div className="actions">
                        <Link to="/tenants/$id" params={{ id: created.id }} className="button button-primary">
                            Open the tenant
                        </Link>
                    </div>
                </Card>
            </Page>
        );
    }
    return (
        <Page title="Create a tenant" above={above} actions={<CopyAsCurl request={{ method: "POST", path: "/tenants", body: { ...request } }} />}>
            <form className="form" onSubmit={(event) => void submit(event)}>
                <Input label="Name" required maxLength={120} value={form.name} error={errorOf(problem, "/name")} onChange={(event) => set({ name: event.target.value, ...(slugTyped ? {} : { slug: suggested(event.target.value) }) })} />
                <Input
                    label="Slug"
                    required
                    maxLength={48}
                    spellCheck={false}
                    autoComplete="off"
                    hint="In URLs. Lower-case letters, digits and single hyphens. It cannot be changed later."
                    value={form.slug}
                    error={errorOf(problem, "/slug") ?? (problem?.status === 409 ? problem.detail : undefined)}
                    onChange={(event) => {
                        setSlugTyped(true);
                        set({ slug: event.target.value });
                    }}
                />
                <Select label="Country" value={form.country} error={errorOf(problem, "/country")} onChange={(event) => set({ country: event.target.value })} options={COUNTRIES} />
                <fieldset className="fieldset">
                    <legend>Limits</legend>
                    <p className="hint">A number, “unlimited”, or empty for the platform's default.</p>
                    <div className="form-row">
                        <Input label="Agents" inputMode="numeric" pattern="[0-9]+|unlimited" value={form.agents} error={errorOf(problem, "/limits/max_agents")} onChange={(event) => set({ agents: event.target.value })} />
                        <Input label="Contacts" inputMode="numeric" pattern="[0-9]+|unlimited" value={form.contacts} error={errorOf(problem, "/limits/max_contacts")} onChange={(event) => set({ contacts: event.target.value })} />
                        <Input label="Messages a month" inputMode="numeric" pattern="[0-9]+|unlimited" value={form.messages} error={errorOf(problem, "/limits/max_messages_month")} onChange={(event) => set({ messages: event.target.value })} />
                    </div>
                </fieldset>
                <fieldset className="fieldset">
                    <legend>First admin of the tenant</legend>
                    <Input label="E-mail" type="email" required autoComplete="off" value={form.email} error={errorOf(problem, "/admin_email")} onChange={(event) => set({ email: event.target.value })} />
                    <Input label="Temporary password" type="password" required autoComplete="new-password" hint="The admin must replace it at the first sign-in. Send it by another way than the address." value={form.password} error={errorOf(problem, "/admin_password")} onChange={(event) => set({ password: event.target.value })} />
                </fieldset>
                {problem && problem.status !== 409 && <ProblemNote problem={problem} />}
                <div className="actions">
                    <Button type="submit" kind="primary" busy={busy}>
                        {busy ? "Creating…" : "Create the tenant"}
                    </Button>
                    <Link to="/tenants" className="button">
                        Cancel
                    </Link>
                </div>
            </form>
        </Page>
    );
}
