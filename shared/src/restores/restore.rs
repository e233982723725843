//! Use case: restore an export into a new tenant.

use deadpool_postgres::Transaction;
use serde_json::json;
use time::OffsetDateTime;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    clients::s3::Bucket,
    error::{Error, Result},
    events, exports,
    operations::{self, OperationKind, store::NewOperation},
    tenants::{self, OnLimit, RestoredFrom, Tenant, TenantEvent, TenantName, new_database_name, store::NewTenant},
    types::{Actor, ExportId, InvalidValue, OperationId, Reason, Slug, TenantId},
};

/// What precedes the digits in the slug of a copy.
const SLUG_INFIX: &str = "-restored-";

/// Random digits at the end of the slug of a copy.
const SLUG_DIGITS: usize = 6;

/// The longest slug.
const MAX_SLUG: usize = 48;

/// An export to restore.
#[derive(Debug)]
pub struct RestoreExport<'a> {
    pub actor: Actor<'a>,
    /// The tenant that was exported. It may be deleted.
    pub tenant_id: TenantId,
    pub export_id: ExportId,
    /// `None`: that of the tenant with a suffix.
    pub slug: Option<&'a Slug>,
    /// `None`: that of the tenant at the time of the export.
    pub name: Option<&'a TenantName>,
    pub reason: &'a Reason,
}

/// A restored copy in status `provisioning`.
#[derive(Debug)]
pub struct RestoredExport {
    pub tenant: Tenant,
    /// The operation that creates and fills the copy's databases.
    pub operation_id: OperationId,
}

/// Checks the export and its manifest, and inserts the copy, the operation, the message to the worker, the event and the audit entry. Fails with
/// [`Error::NotFound`] if the tenant has no such export, and with [`Conflict`](crate::error::Conflict) if the export is not complete, has expired or is damaged, or the
/// slug is taken.
///
/// The caller commits the transaction together with the idempotency record, and then sends the message to the queue. The manifest is read in
/// the transaction, so that a repeated request does not need the export any more; nothing is locked meanwhile.
pub async fn restore(
    transaction: &Transaction<'_>,
    bucket: &Bucket,
    command: &RestoreExport<'_>,
) -> Result<RestoredExport> {
    let RestoreExport { actor, tenant_id, export_id, .. } = *command;
    let export = exports::store::find(transaction, tenant_id, export_id).await?;
    let manifest = exports::read_manifest(bucket, &export).await?.manifest;
    let source = &manifest.tenant;
    let id = TenantId::generate();
    let invalid = |error: InvalidValue| Error::internal(format!("the manifest is invalid: {error}"));
    let default_name = TenantName::parse(&source.name).map_err(invalid)?;
    let default_slug = Slug::parse(&slug_of_copy(&source.slug, id)).map_err(invalid)?;
    let database_name = new_database_name();
    let new = NewTenant {
        id,
        name: command.name.unwrap_or(&default_name),
        slug: command.slug.unwrap_or(&default_slug),
        limits: source.limits,
        on_limit: source.on_limit.parse::<OnLimit>().map_err(invalid)?,
        country: source.country,
        database_name: &database_name,
        restored_from: Some(RestoredFrom { tenant_id, export_id }),
    };
    let now = OffsetDateTime::now_utc();
    let tenant = tenants::store::insert(transaction, &new, now).await?;
    let operation = NewOperation {
        tenant_id: id,
        database_name: &database_name,
        kind: OperationKind::Restore,
        requested_by: actor.id,
    };
    let operation_id = operations::store::insert(transaction, operation, now).await?;
    events::store::enqueue_event(transaction, &TenantEvent::Requested.of(&tenant)).await?;
    events::store::enqueue_provision(transaction, id, operation_id).await?;
    let details = json!({
        "restored_from": tenant.restored_from, "name": tenant.name, "slug": tenant.slug,
        "reason": command.reason.as_str(), "operation_id": operation_id,
    });
    let entry = AuditEntry::done(actor, AuditAction::TenantRestoreExport, id, details);
    audit::store::insert(transaction, &entry).await?;
    Ok(RestoredExport { tenant, operation_id })
}

/// The slug of a tenant, shortened, with digits of the copy's id, which make it unlikely to be taken.
fn slug_of_copy(slug: &str, id: TenantId) -> String {
    let room = MAX_SLUG - SLUG_INFIX.len() - SLUG_DIGITS;
    let start = slug.get(..room.min(slug.len())).unwrap_or_default().trim_end_matches('-');
    let digits = id.0.simple().to_string();
    format!("{start}{SLUG_INFIX}{}", &digits[digits.len() - SLUG_DIGITS..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slug_of_a_copy_is_valid_however_long_that_of_the_tenant_is() {
        let id = TenantId::generate();
        for slug in ["ab", "kopi-kenangan", &"x".repeat(48), &format!("{}-{}", "x".repeat(31), "y".repeat(16))] {
            let copy = slug_of_copy(slug, id);
            assert!(Slug::parse(&copy).is_ok(), "{copy}");
            assert_ne!(copy, slug_of_copy(slug, TenantId::generate()));
        }
        assert!(slug_of_copy("kopi", id).starts_with("kopi-restored-"));
    }
}
