//! SQL that writes findings.

use deadpool_postgres::GenericClient;
use time::OffsetDateTime;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{
    error::Result,
    reconciliation::{
        FindingKind, FindingStore, Repair,
        store::{self, HELD, RunLease},
    },
    sql,
    types::TenantId,
};

/// A difference that was just found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::reconciliation) struct NewFinding {
    pub(in crate::reconciliation) kind: FindingKind,
    pub(in crate::reconciliation) subject: String,
    pub(in crate::reconciliation) tenant_id: Option<TenantId>,
    /// The row of the ledger that the repair concerns.
    pub(in crate::reconciliation) database_name: Option<String>,
    pub(in crate::reconciliation) detail: Option<String>,
    /// Since when it differs, if that is known.
    pub(in crate::reconciliation) since: Option<OffsetDateTime>,
    pub(in crate::reconciliation) repair: Option<Repair>,
}

impl NewFinding {
    /// A finding of which nothing else is known.
    pub(in crate::reconciliation) fn new(kind: FindingKind, subject: String) -> Self {
        Self { kind, subject, tenant_id: None, database_name: None, detail: None, since: None, repair: None }
    }
}

/// Deletes what an interrupted check has found. Fails if another process has taken the reconciliation.
pub(in crate::reconciliation) async fn delete(
    client: &impl GenericClient,
    lease: RunLease,
    part: (FindingStore, &str),
) -> Result<()> {
    let statement = client
        .prepare_cached(sql::text!(
            "WITH ",
            HELD,
            ", written AS (
                 DELETE FROM reconciliation_findings f USING held
                 WHERE f.reconciliation_id = held.id AND f.store = $3 AND f.cluster = $4)
             SELECT FROM held"
        ))
        .await?;
    store::write(client, &statement, &[&lease.id, &lease.token, &part.0, &part.1]).await
}

/// Inserts findings. One whose beginning is not known is as old as in the previous reconciliation, or new. Fails if another process has
/// taken the reconciliation.
pub(in crate::reconciliation) async fn insert(
    client: &impl GenericClient,
    lease: RunLease,
    part: (FindingStore, &str),
    findings: &[NewFinding],
) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let statement = client
        .prepare_cached(sql::text!(
            "WITH ",
            HELD,
            ", written AS (
                 INSERT INTO reconciliation_findings
                     (reconciliation_id, store, cluster, kind, subject, tenant_id, database_name, detail, since, repair)
                 SELECT held.id, $3, $4, f.kind, f.subject, f.tenant_id, f.database_name, f.detail,
                        coalesce(f.since, previous.since, now()), f.repair
                 FROM held
                 CROSS JOIN unnest($6::text[], $7::text[], $8::uuid[], $9::text[], $10::text[], $11::timestamptz[], $12::text[])
                     AS f (kind, subject, tenant_id, database_name, detail, since, repair)
                 LEFT JOIN reconciliation_findings previous
                     ON previous.reconciliation_id = $5 AND previous.store = $3 AND previous.cluster = $4
                         AND previous.kind = f.kind AND previous.subject = f.subject
                 ON CONFLICT DO NOTHING)
             SELECT FROM held"
        ))
        .await?;
    let kinds: Vec<_> = findings.iter().map(|finding| finding.kind.as_str()).collect();
    let subjects: Vec<_> = findings.iter().map(|finding| &*finding.subject).collect();
    let tenants: Vec<Option<Uuid>> = findings.iter().map(|finding| finding.tenant_id.map(|id| id.0)).collect();
    let names: Vec<_> = findings.iter().map(|finding| finding.database_name.as_deref()).collect();
    let details: Vec<_> = findings.iter().map(|finding| finding.detail.as_deref()).collect();
    let since: Vec<_> = findings.iter().map(|finding| finding.since).collect();
    let repairs: Vec<_> = findings.iter().map(|finding| finding.repair.map(Repair::as_str)).collect();
    let parameters: [&(dyn ToSql + Sync); 12] = [
        &lease.id,
        &lease.token,
        &part.0,
        &part.1,
        &lease.previous,
        &kinds,
        &subjects,
        &tenants,
        &names,
        &details,
        &since,
        &repairs,
    ];
    store::write(client, &statement, &parameters).await
}
