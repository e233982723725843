//! Use case: create a tenant. A background operation provisions its databases.

use deadpool_postgres::Transaction;
use secrecy::SecretString;
use serde_json::json;
use time::OffsetDateTime;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    error::Result,
    events,
    operations::{self, OperationKind, store::NewOperation},
    tenants::{
        OnLimit, Tenant, TenantEvent, TenantName, new_database_name,
        store::{self, NewTenant, PendingAdmin},
    },
    types::{Actor, Country, EmailAddress, Limits, OperationId, Slug, TenantId, UserId},
};

/// A tenant to create, with its first user, an `admin`.
#[derive(Debug)]
pub struct CreateTenant<'a> {
    pub actor: Actor<'a>,
    pub name: TenantName,
    pub slug: Slug,
    pub limits: Limits,
    pub on_limit: OnLimit,
    pub country: Country,
    pub admin_email: EmailAddress,
    /// Argon2id in the PHC string format.
    pub admin_password_hash: SecretString,
}

/// A new tenant in status `provisioning`.
#[derive(Debug)]
pub struct CreatedTenant {
    pub tenant: Tenant,
    /// The operation that provisions the tenant.
    pub operation_id: OperationId,
}

/// Inserts the tenant, its first user (until the tenant's own database exists), the operation, the message to the worker, the
/// event and the audit entry. Fails with [`Conflict::SlugTaken`](crate::error::Conflict::SlugTaken) if the slug is already used.
///
/// The caller commits the transaction together with the idempotency record, and then sends the message to the queue.
pub async fn create(transaction: &Transaction<'_>, command: &CreateTenant<'_>) -> Result<CreatedTenant> {
    let now = OffsetDateTime::now_utc();
    let id = TenantId::generate();
    let database_name = new_database_name();
    let new = NewTenant {
        id,
        name: &command.name,
        slug: &command.slug,
        limits: command.limits,
        on_limit: command.on_limit,
        country: command.country,
        database_name: &database_name,
        restored_from: None,
    };
    let tenant = store::insert(transaction, &new, now).await?;
    let admin = PendingAdmin {
        user_id: UserId::generate(),
        email: command.admin_email.as_str().to_owned(),
        password_hash: command.admin_password_hash.clone(),
    };
    store::insert_pending_admin(transaction, id, &admin).await?;
    let operation = NewOperation {
        tenant_id: id,
        database_name: new.database_name,
        kind: OperationKind::Provision,
        requested_by: command.actor.id,
    };
    let operation_id = operations::store::insert(transaction, operation, now).await?;
    events::store::enqueue_event(transaction, &TenantEvent::Requested.of(&tenant)).await?;
    events::store::enqueue_provision(transaction, id, operation_id).await?;
    let details = json!({
        "after": {
            "name": tenant.name, "slug": tenant.slug, "limits": tenant.limits, "on_limit": tenant.on_limit,
            "country": tenant.country, "admin_email": admin.email,
        },
        "operation_id": operation_id,
        "admin_user_id": admin.user_id,
    });
    audit::store::insert(transaction, &AuditEntry::done(command.actor, AuditAction::TenantCreate, id, details)).await?;
    Ok(CreatedTenant { tenant, operation_id })
}
