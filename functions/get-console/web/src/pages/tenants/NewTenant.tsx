import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { useMay } from "../../api/acts";
import { type Schemas, api, body } from "../../api/client";
import { values } from "../../api/generated/operations";
import { oneOf } from "../../api/oneOf";
import { useIdempotencyKey } from "../../api/useIdempotencyKey";
import { useRenew } from "../../api/useRenew";
import { readLimit } from "../../limits";
import { Button } from "../../ui/Button";
import { CopyAsCommand } from "../../ui/Copy";
import { Page } from "../../ui/Page";
import { Card, Name } from "../../ui/data";
import { Input, LimitInput, Select, errorOf } from "../../ui/form";
import { Empty, ProblemNote } from "../../ui/state";
import { useSubmit } from "../../ui/useSubmit";
import { LiveOperation } from "../operations/LiveOperation";
import { OnLimitSelect } from "./OnLimitSelect";

const REGIONS = new Intl.DisplayNames("en", { type: "region" });
const COUNTRIES = values.Country.map((code) => [code, `${REGIONS.of(code) ?? code} (${code})`] as const).toSorted((a, b) => a[1].localeCompare(b[1]));

const suggested = (name: string): string =>
    name
        .normalize("NFKD")
        .toLowerCase()
        .replaceAll(/[^a-z0-9]+/g, "-")
        .replace(/^-/, "")
        .slice(0, 48)
        .replace(/-$/, "");

export function NewTenant() {
    const may = useMay("POST /tenants");
    const renew = useRenew();
    const { keyOf } = useIdempotencyKey();
    const { busy, problem, submit } = useSubmit();
    const [form, setForm] = useState({ name: "", slug: "", country: "ID" as Schemas["Country"], on_limit: "notify" as Schemas["OnLimit"], agents: "", contacts: "", messages: "", email: "", password: "" });
    const [slugTyped, setSlugTyped] = useState(false);
    const [created, setCreated] = useState<Schemas["OrganizationWithOperation"]>();
    const set = (change: Partial<typeof form>) => setForm({ ...form, ...change });
    const limits = { max_agents: readLimit(form.agents), max_contacts: readLimit(form.contacts), max_messages_month: readLimit(form.messages) };
    const areLimitsValid = Object.values(limits).every(({ error }) => error === undefined);
    const request: Schemas["TenantRequest"] = {
        name: form.name,
        slug: form.slug,
        country: form.country,
        limits: { max_agents: limits.max_agents.value, max_contacts: limits.max_contacts.value, max_messages_month: limits.max_messages_month.value },
        on_limit: form.on_limit,
        admin_email: form.email,
        admin_password: form.password,
    };
    const create = () =>
        submit(async () => {
            setCreated(await body(api.POST("/api/super-admin/tenants", { body: request, params: { header: { "idempotency-key": keyOf(request) } } })));
            await renew("tenants", "operations");
        });
    const isSlugTaken = problem?.type === "slug-taken";
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
                        <Name>{created.name}</Name> is registered. Its databases are created in the background; you may leave this page.
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
        <Page title="Create a tenant" above={above} actions={<CopyAsCommand request={{ operation: "POST /tenants", body: { ...request } }} />}>
            <form
                className="form"
                onSubmit={(event) => {
                    event.preventDefault();
                    if (areLimitsValid) void create();
                }}
            >
                <Input label="Name" required maxLength={120} value={form.name} error={errorOf(problem, "/name")} onChange={(event) => set({ name: event.target.value, ...(slugTyped ? {} : { slug: suggested(event.target.value) }) })} />
                <Input
                    label="Slug"
                    required
                    maxLength={48}
                    spellCheck={false}
                    autoComplete="off"
                    hint="In URLs. Lower-case letters, digits and single hyphens. It cannot be changed later."
                    value={form.slug}
                    error={errorOf(problem, "/slug") ?? (isSlugTaken ? problem.detail : undefined)}
                    onChange={(event) => {
                        setSlugTyped(true);
                        set({ slug: event.target.value });
                    }}
                />
                <Select label="Country" value={form.country} error={errorOf(problem, "/country")} onChange={(event) => set({ country: oneOf(values.Country, event.target.value) ?? form.country })} options={COUNTRIES} />
                <fieldset className="fieldset">
                    <legend>Limits</legend>
                    <p className="hint">A number, “unlimited”, or empty for the platform's default.</p>
                    <div className="form-row">
                        <LimitInput label="Agents" value={form.agents} error={errorOf(problem, "/limits/max_agents")} onChange={(event) => set({ agents: event.target.value })} />
                        <LimitInput label="Contacts" value={form.contacts} error={errorOf(problem, "/limits/max_contacts")} onChange={(event) => set({ contacts: event.target.value })} />
                        <LimitInput label="Messages a month" value={form.messages} error={errorOf(problem, "/limits/max_messages_month")} onChange={(event) => set({ messages: event.target.value })} />
                    </div>
                    <OnLimitSelect value={form.on_limit} problem={problem} onChange={(on_limit) => set({ on_limit })} />
                </fieldset>
                <fieldset className="fieldset">
                    <legend>First admin of the tenant</legend>
                    <Input label="E-mail" type="email" required autoComplete="off" value={form.email} error={errorOf(problem, "/admin_email")} onChange={(event) => set({ email: event.target.value })} />
                    <Input label="Temporary password" type="password" required autoComplete="new-password" hint="The admin must replace it at the first sign-in. Send it by another way than the address." value={form.password} error={errorOf(problem, "/admin_password")} onChange={(event) => set({ password: event.target.value })} />
                </fieldset>
                {problem && !isSlugTaken && <ProblemNote problem={problem} />}
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
