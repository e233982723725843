//! The audit log: who did what to whom, written where the change is committed.

use deadpool_postgres::GenericClient;
use serde_json::Value;
use uuid::Uuid;

use crate::{domain::TenantId, error::Result};

/// One entry.
#[derive(Debug, Clone)]
pub struct AuditEntry<'a> {
    /// Who: a super-admin's id or subject, or `system`.
    pub actor: &'a str,
    /// What: `tenant.create`, `tenant.update`, ….
    pub action: &'a str,
    /// Which tenant.
    pub tenant_id: Option<TenantId>,
    /// The request that it was done by.
    pub request_id: Option<&'a str>,
    /// The address that the request came from.
    pub source_address: Option<&'a str>,
    /// What changed, before and after; never a secret.
    pub details: Value,
}

/// Writes an entry.
pub async fn insert(client: &impl GenericClient, entry: &AuditEntry<'_>) -> Result<()> {
    let statement = client
        .prepare_cached(
            "INSERT INTO audit (id, actor, action, organization_id, request_id, source_address, details)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .await?;
    client
        .execute(
            &statement,
            &[
                &Uuid::now_v7(),
                &entry.actor,
                &entry.action,
                &entry.tenant_id.map(|id| id.0),
                &entry.request_id,
                &entry.source_address,
                &entry.details,
            ],
        )
        .await?;
    Ok(())
}
