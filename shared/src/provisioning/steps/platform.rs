//! The steps on the platform database: placement, which is the first step, and activation, which is the last. Also the end of a
//! rollback. Each is one transaction.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::format_description::well_known::Rfc3339;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    clients::postgres::Postgres,
    config::{Cluster, Clusters},
    error::Error,
    events,
    exports::{self, store::CompletedExport},
    operations::{
        Lease, StepName,
        store::{
            breakers::{self, StoreKind},
            journal, removal,
        },
    },
    provisioning::{
        export::WrittenManifest,
        step::{StepError, Stores},
        store::FULL_NAME,
    },
    telemetry::metrics::{self, Metric},
    tenants::{
        self, Suspension, SuspensionComment, SuspensionReason, Tenant, TenantEvent,
        store::{PendingAdmin, databases, placement},
    },
    types::{Actor, ExportId, Placement},
    user_directory,
};

/// Chooses clusters for the tenant's databases, unless the tenant is already placed.
pub(in crate::provisioning) async fn place(
    platform: &Postgres,
    stores: &Stores,
    lease: Lease,
    schema_version: i32,
) -> Result<Placement, StepError> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    placement::lock(&transaction).await?;
    let placement = if let Some(placement) = placement::find_for_update(&transaction, lease.tenant_id).await? {
        placement
    } else {
        let postgres = placement::count_by_postgres_cluster(&transaction).await?;
        let mongo = placement::count_by_mongo_cluster(&transaction).await?;
        let failing_postgres = breakers::list_open_clusters(&transaction, StoreKind::Postgresql).await?;
        let failing_mongo = breakers::list_open_clusters(&transaction, StoreKind::Mongodb).await?;
        let placement = Placement {
            postgres_cluster: choose("PostgreSQL", &stores.postgres_clusters, &postgres, &failing_postgres)?,
            mongo_cluster: choose("MongoDB", &stores.mongo_clusters, &mongo, &failing_mongo)?,
        };
        placement::update(&transaction, lease.tenant_id, &placement).await?;
        placement
    };
    journal::set_schema_version(&transaction, lease, schema_version).await?;
    databases::begin_creation(&transaction, lease.operation_id, &placement).await?;
    journal::record_succeeded(&transaction, lease, StepName::Placement).await?;
    transaction.commit().await?;
    Ok(placement)
}

fn choose(
    kind: &str,
    clusters: &Clusters,
    counts: &HashMap<String, i64>,
    failing: &[String],
) -> Result<String, StepError> {
    if let Some(cluster) = roomiest(clusters, counts, failing) {
        return Ok(cluster.name.clone());
    }
    tracing::error!(cluster.kind = kind, "no open cluster has room for another tenant");
    // The alarm `clusters-full` of the template counts these.
    metrics::count(Metric::NoClusterHasRoom);
    Err(StepError::permanent(format!("No open {kind} cluster has room for another tenant")))
}

/// The open cluster with the most room, the first one of equals; one that fails only if all others are full. `None` if every open cluster
/// is full.
fn roomiest<'a>(clusters: &'a Clusters, counts: &HashMap<String, i64>, failing: &[String]) -> Option<&'a Cluster> {
    let room = |cluster: &Cluster| cluster.max_tenants - counts.get(&cluster.name).copied().unwrap_or(0);
    let works = |cluster: &Cluster| !failing.contains(&cluster.name);
    let candidates = clusters.0.iter().rev().filter(|cluster| cluster.open && room(cluster) > 0);
    candidates.max_by_key(|cluster| (works(cluster), room(cluster)))
}

/// Activates the tenant: its status, its schema version, the event, the audit entry, the deletion of its first user's password
/// hash, that user's row in the user directory and the end of the operation commit together.
pub(in crate::provisioning) async fn activate(platform: &Postgres, lease: Lease) -> Result<(), StepError> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    // The tenant's row is locked first, as in every transaction; the query before it locks nothing.
    let schema_version = journal::find_schema_version(&transaction, lease).await?;
    // Read before the activation deletes it. This query locks nothing either.
    let admin = tenants::store::find_pending_admin(&transaction, lease.tenant_id).await?;
    let tenant = tenants::store::activate(&transaction, lease.tenant_id, schema_version).await?;
    if let Some(PendingAdmin { user_id, email, .. }) = admin {
        user_directory::store::insert_first(&transaction, lease.tenant_id, (user_id, &email, FULL_NAME)).await?;
    }
    journal::succeed(&transaction, lease).await?;
    databases::end_creation(&transaction, lease.operation_id).await?;
    journal::record_succeeded(&transaction, lease, StepName::Activation).await?;
    events::store::enqueue_event(&transaction, &TenantEvent::Provisioned.of(&tenant)).await?;
    let details = json!({ "operation_id": lease.operation_id });
    audit::store::insert(&transaction, &audit_entry(AuditAction::TenantProvisioned, lease, details)).await?;
    Ok(transaction.commit().await?)
}

/// Ends a restore: the copy's status, its schema version, the event, the audit entry and the end of the operation commit together. `missing` is
/// the number of objects of the export that do not exist any more.
pub(in crate::provisioning) async fn end_restore(
    platform: &Postgres,
    lease: Lease,
    missing: u64,
) -> Result<(), StepError> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    // The tenant's row is locked first, as in every transaction; the query before it locks nothing.
    let schema_version = journal::find_schema_version(&transaction, lease).await?;
    let comment = format!("{missing} objects of the export do not exist any more");
    let comment = (missing > 0).then(|| SuspensionComment::parse(&comment)).transpose().map_err(Error::internal)?;
    let suspension = Suspension::begin(SuspensionReason::RestoredCopy, comment.as_ref());
    let tenant = tenants::store::restored::suspend(&transaction, lease.tenant_id, schema_version, &suspension).await?;
    journal::succeed(&transaction, lease).await?;
    databases::end_creation(&transaction, lease.operation_id).await?;
    journal::record_succeeded(&transaction, lease, StepName::Activation).await?;
    events::store::enqueue_event(&transaction, &TenantEvent::Suspended.of(&tenant)).await?;
    let details = json!({
        "operation_id": lease.operation_id, "restored_from": tenant.restored_from, "missing_objects": missing,
    });
    audit::store::insert(&transaction, &audit_entry(AuditAction::TenantRestoredCopy, lease, details)).await?;
    Ok(transaction.commit().await?)
}

/// Ends a rollback after every step is undone: the tenant's status, its places on the clusters, the event, the audit entry and
/// the end of the operation commit together. The password hash of the tenant's first user stays, so that provisioning can be
/// retried.
pub(in crate::provisioning) async fn fail(platform: &Postgres, lease: Lease, reason: &str) -> Result<(), StepError> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    let tenant = tenants::store::fail(&transaction, lease.tenant_id).await?;
    journal::fail(&transaction, lease).await?;
    databases::end_removal(&transaction, lease.operation_id).await?;
    events::store::enqueue_event(&transaction, &TenantEvent::ProvisioningFailed.of(&tenant)).await?;
    let details = json!({ "operation_id": lease.operation_id, "reason": reason });
    audit::store::insert(&transaction, &audit_entry(AuditAction::TenantProvisioningFailed, lease, details)).await?;
    Ok(transaction.commit().await?)
}

/// Ends a cleanup: the state of the databases, the audit entry and the end of the operation commit together.
pub(in crate::provisioning) async fn end_cleanup(platform: &Postgres, lease: Lease) -> Result<(), StepError> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    journal::succeed(&transaction, lease).await?;
    databases::end_removal(&transaction, lease.operation_id).await?;
    let details = json!({ "operation_id": lease.operation_id });
    audit::store::insert(&transaction, &audit_entry(AuditAction::TenantCleanup, lease, details)).await?;
    Ok(transaction.commit().await?)
}

/// Ends a change of the services' access.
pub(in crate::provisioning) async fn end_access_change(platform: &Postgres, lease: Lease) -> Result<(), StepError> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    journal::succeed(&transaction, lease).await?;
    journal::record_unused(&transaction, lease).await?;
    Ok(transaction.commit().await?)
}

/// Ends a promotion. `refused` is the number of objects that could not be copied to the tenant.
pub(in crate::provisioning) async fn end_promotion(
    platform: &Postgres,
    lease: Lease,
    refused: u64,
) -> Result<(), StepError> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    let reason = format!(
        "Object storage refuses to copy {refused} objects of the copy; the log of provision-tenant contains their keys"
    );
    journal::succeed_with(&transaction, lease, (refused > 0).then_some(&*reason)).await?;
    journal::record_unused(&transaction, lease).await?;
    Ok(transaction.commit().await?)
}

/// Ends an export: which manifest is valid, the audit entry and the end of the operation commit together.
pub(in crate::provisioning) async fn end_export(
    platform: &Postgres,
    lease: Lease,
    export: ExportId,
    manifest: &WrittenManifest,
) -> Result<(), StepError> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    let tenant = tenants::store::find_for_update(&transaction, lease.tenant_id).await?;
    journal::succeed(&transaction, lease).await?;
    complete_export(&transaction, lease, &tenant, export, manifest).await?;
    Ok(transaction.commit().await?)
}

/// Records which manifest is valid. The caller has checked the lease.
async fn complete_export(
    transaction: &Transaction<'_>,
    lease: Lease,
    tenant: &Tenant,
    export: ExportId,
    manifest: &WrittenManifest,
) -> Result<(), StepError> {
    let completed = CompletedExport {
        expires_at: manifest.expires_at,
        manifest_key: &manifest.key,
        manifest_sha256: &manifest.sha256,
        summary: &manifest.summary,
    };
    exports::store::complete(transaction, export, &completed).await?;
    events::store::enqueue_event(transaction, &TenantEvent::Exported.of(tenant)).await?;
    let details = json!({
        "operation_id": lease.operation_id, "export_id": export, "manifest_sha256": manifest.sha256,
        "summary": manifest.summary,
    });
    audit::store::insert(transaction, &audit_entry(AuditAction::TenantExported, lease, details)).await?;
    Ok(())
}

/// Ends an export whose files are removed: the audit entry and the end of the operation commit together. The tenant stays as it is.
pub(in crate::provisioning) async fn fail_export(
    platform: &Postgres,
    lease: Lease,
    export: ExportId,
    reason: &str,
) -> Result<(), StepError> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    tenants::store::find_for_update(&transaction, lease.tenant_id).await?;
    journal::fail(&transaction, lease).await?;
    let details = json!({ "operation_id": lease.operation_id, "export_id": export, "reason": reason });
    audit::store::insert(&transaction, &audit_entry(AuditAction::TenantExportFailed, lease, details)).await?;
    Ok(transaction.commit().await?)
}

/// Begins the removal of a tenant that cannot be restored any more. From then on, only the files of the export `kept` are offered. If this
/// worker has written them, the export becomes complete in the same transaction, so that a restore never finds a complete export of a purge.
pub(in crate::provisioning) async fn begin_purge(
    platform: &Postgres,
    lease: Lease,
    kept: Option<ExportId>,
    written: Option<&WrittenManifest>,
) -> Result<(), StepError> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    let tenant = tenants::store::find_for_update(&transaction, lease.tenant_id).await?;
    removal::begin_removal(&transaction, lease).await?;
    if let (Some(export), Some(manifest)) = (kept, written) {
        complete_export(&transaction, lease, &tenant, export, manifest).await?;
    }
    exports::store::expire_others(&transaction, lease.tenant_id, kept).await?;
    Ok(transaction.commit().await?)
}

/// What a worker states about a purge.
pub(in crate::provisioning) struct Receipt {
    /// What existed and was removed in each store.
    pub(in crate::provisioning) stores: Value,
    /// Where a search found nothing.
    pub(in crate::provisioning) search: Value,
    /// The export that remains, if the tenant was exported first.
    pub(in crate::provisioning) export: Option<ExportId>,
}

/// Ends a purge: the tenant's status, its places on the clusters, the ledger, the receipt, the event, the audit entry and the end of the
/// operation commit together.
pub(in crate::provisioning) async fn end_purge(
    platform: &Postgres,
    lease: Lease,
    receipt: &Receipt,
) -> Result<(), StepError> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    let tenant = tenants::store::deletion::end(&transaction, lease.tenant_id).await?;
    journal::succeed(&transaction, lease).await?;
    journal::record_unused(&transaction, lease).await?;
    databases::end_removal(&transaction, lease.operation_id).await?;
    let mut content = json!({
        "slug": tenant.slug,
        "deletion": tenant.deletion,
        "stores": receipt.stores,
        "search": receipt.search,
    });
    if let Some(id) = receipt.export {
        let export = exports::store::find(&transaction, lease.tenant_id, id).await?;
        let expires_at = export.expires_at.map(|at| at.format(&Rfc3339)).transpose().map_err(Error::internal)?;
        content["export"] = json!({
            "id": id, "manifest_sha256": export.manifest_sha256, "summary": export.summary, "expires_at": expires_at,
        });
    }
    tenants::store::deletion::insert_receipt(&transaction, lease.tenant_id, lease.operation_id, &content).await?;
    events::store::enqueue_event(&transaction, &TenantEvent::Deleted.of(&tenant)).await?;
    // The log is append-only, so that the content of the receipt cannot be changed unnoticed.
    let digest = Sha256::digest(content.to_string());
    let details = json!({
        "operation_id": lease.operation_id, "stores": receipt.stores, "receipt_sha256": format!("{digest:x}"),
    });
    audit::store::insert(&transaction, &audit_entry(AuditAction::TenantPurged, lease, details)).await?;
    Ok(transaction.commit().await?)
}

fn audit_entry(action: AuditAction, lease: Lease, details: Value) -> AuditEntry<'static> {
    AuditEntry::done(Actor::SYSTEM, action, lease.tenant_id, details)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(name: &str, max_tenants: i64, open: bool) -> Cluster {
        Cluster { name: name.to_owned(), url: "".into(), max_tenants, open, variable: "" }
    }

    fn chosen(clusters: Vec<Cluster>, counts: &[(&str, i64)]) -> Option<String> {
        chosen_without(&[], clusters, counts)
    }

    fn chosen_without(failing: &[String], clusters: Vec<Cluster>, counts: &[(&str, i64)]) -> Option<String> {
        let counts = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        roomiest(&Clusters(clusters), &counts, failing).map(|cluster| cluster.name.clone())
    }

    #[test]
    fn a_tenant_goes_to_the_open_cluster_with_most_room() {
        let clusters = || vec![cluster("a", 10, true), cluster("b", 10, true), cluster("closed", 99, false)];
        assert_eq!(chosen(clusters(), &[]), Some("a".to_owned()));
        assert_eq!(chosen(clusters(), &[("a", 5), ("b", 4)]), Some("b".to_owned()));
        assert_eq!(chosen(clusters(), &[("a", 10), ("b", 9)]), Some("b".to_owned()));
    }

    #[test]
    fn a_cluster_that_fails_is_chosen_only_if_all_others_are_full() {
        let clusters = || vec![cluster("a", 10, true), cluster("b", 2, true)];
        assert_eq!(chosen_without(&["a".to_owned()], clusters(), &[("b", 1)]), Some("b".to_owned()));
        assert_eq!(chosen_without(&["a".to_owned()], clusters(), &[("b", 2)]), Some("a".to_owned()));
    }

    #[test]
    fn a_full_platform_has_no_cluster_for_a_tenant() {
        assert_eq!(chosen(vec![cluster("a", 2, true), cluster("b", 5, false)], &[("a", 2)]), None);
        assert_eq!(chosen(vec![cluster("a", 2, true)], &[("a", 3)]), None);
        let full = |name: &str| HashMap::from([(name.to_owned(), 2)]);
        let clusters = Clusters(vec![cluster("a", 2, true)]);
        let refused = choose("MongoDB", &clusters, &full("a"), &[]).unwrap_err();
        assert_eq!(refused.reason, "No open MongoDB cluster has room for another tenant");
        assert_eq!(choose("MongoDB", &clusters, &full("b"), &[]).unwrap(), "a");
    }
}
