//! Use case: request a reconciliation.

use serde_json::json;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    clients::postgres::Postgres,
    error::Result,
    reconciliation::store,
    types::{Actor, ReconciliationId},
};

/// Commits a reconciliation that nobody works on yet, and the audit entry.
pub async fn create(platform: &Postgres, dry_run: bool, actor: Actor<'_>) -> Result<ReconciliationId> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    let id = store::insert(&transaction, dry_run, actor).await?;
    let details = json!({ "reconciliation_id": id, "dry_run": dry_run });
    audit::store::insert(&transaction, &AuditEntry::done(actor, AuditAction::ReconciliationCreate, None, details))
        .await?;
    transaction.commit().await?;
    Ok(id)
}
