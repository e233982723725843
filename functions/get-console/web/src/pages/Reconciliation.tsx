import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";

import { api, body } from "../api/client";
import { values } from "../api/generated/operations";
import { oneOf } from "../api/oneOf";
import { duration, number, sentence } from "../format";
import { CopyAsCommand } from "../ui/Copy";
import { Filters } from "../ui/Filters";
import { Page } from "../ui/Page";
import { Badge, Card, Facts, Time } from "../ui/data";
import { Select, anyOf } from "../ui/form";
import { Empty, Loading, ProblemNote, Stale } from "../ui/state";

export function ReconciliationPage() {
    const { id } = useParams({ from: "/reconciliations/$id" });
    const { kind } = useSearch({ from: "/reconciliations/$id" });
    const navigate = useNavigate({ from: "/reconciliations/$id" });
    const read = useQuery({
        queryKey: ["reconciliation", id, kind],
        queryFn: ({ signal }) => body(api.GET("/api/super-admin/reconciliations/{id}", { params: { path: { id }, query: { kind: oneOf(values.FindingKind, kind) } }, signal })),
        refetchInterval: (state) => (state.state.data?.finished_at ? false : 2_000),
    });
    const above = <Link to="/reconciliations">Reconciliations</Link>;
    if (!read.data) {
        return (
            <Page title="Reconciliation" above={above}>
                {read.error ? <ProblemNote problem={read.error} retry={() => void read.refetch()} /> : <Loading rows={8} />}
            </Page>
        );
    }
    const report = read.data;
    return (
        <Page title={report.dry_run ? "Comparison" : "Comparison with repairs"} above={above} badge={<Badge value={report.finished_at ? "done" : "running"} />} actions={<CopyAsCommand request={{ operation: "GET /reconciliations/{id}", ids: [id], query: { kind } }} />}>
            <Stale read={read} />
            <div className="grid">
                <Card title="Facts">
                    <Facts
                        facts={[
                            ["Requested", <Time key="created" value={report.created_at} both seconds />],
                            ["Finished", <Time key="finished" value={report.finished_at} both seconds />],
                            ["Requested by", report.requested_by],
                            ["Compared", `${number(report.compared)} objects`],
                        ]}
                    />
                </Card>
                <Card title="Findings by kind">
                    {report.counts.length === 0 ? <Empty title="No difference" /> : <Facts facts={report.counts.map(({ kind: name, count }) => [sentence(name), number(count)])} />}
                </Card>
                {report.unknown.length > 0 && (
                    <Card title="Could not be compared">
                        <Facts facts={report.unknown.map(({ store, cluster, reason }) => [`${store} ${cluster}`, reason])} />
                    </Card>
                )}
            </div>
            <Filters count={`${number(report.findings.length)} shown`}>
                <Select label="Kind" value={kind ?? ""} options={anyOf(values.FindingKind)} onChange={(event) => void navigate({ search: { kind: event.target.value || undefined } })} />
            </Filters>
            {report.findings.length > 0 && (
                <ul className="list card">
                    {report.findings.map((finding, index) => (
                        <li key={`${finding.subject}${index}`}>
                            <Badge value={finding.kind} />
                            <span>{sentence(finding.store)}</span>
                            <code>{finding.subject}</code>
                            {finding.repair && <Badge value={finding.repaired_at ? `repaired: ${finding.repair}` : `repair: ${finding.repair}`} tone={finding.repaired_at ? "ok" : "info"} />}
                            {finding.tenant_id && (
                                <Link to="/tenants/$id" params={{ id: finding.tenant_id }}>
                                    Tenant
                                </Link>
                            )}
                            {finding.operation_id && (
                                <Link to="/operations/$id" params={{ id: finding.operation_id }}>
                                    Operation
                                </Link>
                            )}
                            <span className="push muted">for {duration(finding.age_seconds * 1000)}</span>
                            {finding.detail && <span className="full small">{finding.detail}</span>}
                        </li>
                    ))}
                </ul>
            )}
        </Page>
    );
}
