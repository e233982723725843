//! How an operation ends: in one transaction on the platform database, with everything that its end means.

use serde_json::json;

use crate::{
    audit::{self, AuditEntry},
    clients::postgres::Postgres,
    events,
    operations::{
        StepName,
        store::journal::{self, Lease},
    },
    provisioning::fault::StepError,
    tenants::{self, TENANT_SCHEMA_VERSION, TenantEvent},
    types::Actor,
};

/// Opens the tenant: its status, the version of its schema, the event, the erasure of its first agent's hash and the end of
/// the operation commit together or not at all.
pub(in crate::provisioning) async fn succeed(platform: &Postgres, lease: Lease) -> Result<(), StepError> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    // The tenant's row first, as everyone locks it first.
    let tenant = tenants::store::activate(&transaction, lease.tenant_id, TENANT_SCHEMA_VERSION).await?;
    journal::succeed(&transaction, lease).await?;
    journal::record_with(&transaction, lease, StepName::Activation).await?;
    events::store::enqueue_event(&transaction, &TenantEvent::Provisioned.of(&tenant)).await?;
    let details = json!({ "operation_id": lease.operation_id });
    audit::store::insert(&transaction, &entry("tenant.provisioned", lease, details)).await?;
    Ok(transaction.commit().await?)
}

/// Gives the tenant up, after everything is undone: its status, its places on the clusters, the event and the end of the
/// operation commit together or not at all. Its first agent's hash stays, so that it can be retried.
pub(in crate::provisioning) async fn fail(platform: &Postgres, lease: Lease, reason: &str) -> Result<(), StepError> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    let tenant = tenants::store::fail(&transaction, lease.tenant_id).await?;
    journal::fail(&transaction, lease).await?;
    events::store::enqueue_event(&transaction, &TenantEvent::ProvisioningFailed.of(&tenant)).await?;
    let details = json!({ "operation_id": lease.operation_id, "reason": reason });
    audit::store::insert(&transaction, &entry("tenant.provisioning_failed", lease, details)).await?;
    Ok(transaction.commit().await?)
}

fn entry(action: &'static str, lease: Lease, details: serde_json::Value) -> AuditEntry<'static> {
    AuditEntry::done(Actor::SYSTEM, action, lease.tenant_id, details)
}
