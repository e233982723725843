import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { type Schemas, api, body } from "../api/client";
import { number, sentence } from "../format";
import { AsOf } from "../ui/AsOf";
import { CopyAsCommand } from "../ui/Copy";
import { Filters } from "../ui/Filters";
import { Page } from "../ui/Page";
import { Badge, Card, Facts } from "../ui/data";
import { Select } from "../ui/form";
import { Empty, Loaded } from "../ui/state";

type Settings = Schemas["SettingsResponse"];
type Setting = Settings["settings"][number];

/** What is configured, and which version of what runs. It is changed where the platform is deployed, and not here. */
export function Settings() {
    const { changed } = useSearch({ from: "/settings" });
    const navigate = useNavigate({ from: "/settings" });
    const read = useQuery({ queryKey: ["settings"], queryFn: ({ signal }) => body(api.GET("/api/super-admin/settings", { signal })), refetchInterval: 60_000 });
    return (
        <Page title="Settings" actions={<CopyAsCommand request={{ operation: "GET /settings" }} />}>
            <p className="muted">Settings are those of the deployment and cannot be changed here. Secrets and addresses are not shown.</p>
            <Loaded read={read} rows={8}>
                {({ release, schemas, settings }) => {
                    const shown = settings.filter(({ is_changed }) => changed !== "true" || is_changed);
                    return (
                        <>
                            <Versions release={release} schemas={schemas} />
                            <Filters count={`${number(shown.length)} of ${number(settings.length)} settings`}>
                                <Select label="Settings" value={changed === "true" ? "true" : ""} options={[["", "All"], ["true", "Different from the default"]]} onChange={(event) => void navigate({ search: { changed: event.target.value || undefined } })} />
                            </Filters>
                            {shown.length === 0 && <Empty title="Every setting has its default" />}
                            <div className="grid">
                                {[...Map.groupBy(shown, ({ group }) => group)].map(([group, ofGroup]) => (
                                    <Group key={group} name={sentence(group)} settings={ofGroup} />
                                ))}
                            </div>
                        </>
                    );
                }}
            </Loaded>
            <AsOf reads={[read]} />
        </Page>
    );
}

function Versions({ release, schemas }: Pick<Settings, "release" | "schemas">) {
    return (
        <Card title="Versions">
            <Facts
                facts={[
                    ["Release", release.version],
                    ["Commit", release.commit ? <code key="commit">{release.commit}</code> : <span className="muted">unknown</span>],
                    ["Schema of the platform", `version ${schemas.platform}`],
                    ["Schema of tenants", `version ${schemas.tenants}, as this release expects`],
                ]}
            />
            {schemas.tenants_by_version.length > 0 && (
                <ul className="list" aria-label="Tenants by version of their schema">
                    {schemas.tenants_by_version.map(({ schema_version, tenants }) => (
                        <li key={schema_version}>
                            <span>
                                {number(tenants)} {tenants === 1 ? "tenant has" : "tenants have"} version {schema_version}
                            </span>
                            {schema_version !== schemas.tenants && <Badge value={schema_version < schemas.tenants ? "to be migrated" : "newer than this release"} tone="warn" />}
                        </li>
                    ))}
                </ul>
            )}
        </Card>
    );
}

function Group({ name, settings }: { name: string; settings: Setting[] }) {
    return (
        <Card title={name}>
            <ul className="list">
                {settings.map((setting) => (
                    <li key={setting.name}>
                        <code className="grow">{setting.name}</code>
                        <span className="strong">{setting.value ?? <span className="muted">not set</span>}</span>
                        {setting.is_changed && <Badge value="changed" tone="info" />}
                        <span className="full small muted">
                            {setting.meaning.replace(/^./, (first) => first.toUpperCase())}
                            {setting.is_changed && `; by default ${setting.default ?? "not set"}`}
                        </span>
                    </li>
                ))}
            </ul>
        </Card>
    );
}
