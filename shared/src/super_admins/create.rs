//! An owner adds a super-admin.

use deadpool_postgres::Transaction;
use serde_json::json;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    error::Result,
    super_admins::{
        SuperAdmin,
        store::{self, NewSuperAdmin},
    },
    types::Actor,
};

pub struct CreateSuperAdmin<'a> {
    pub actor: Actor<'a>,
    pub account: NewSuperAdmin<'a>,
}

/// Inserts the super-admin and the audit entry. [`Conflict`](crate::error::Conflict) if another super-admin
/// has the e-mail address or the subject; the transaction is aborted then.
pub async fn create(transaction: &Transaction<'_>, command: &CreateSuperAdmin<'_>) -> Result<SuperAdmin> {
    let super_admin = store::insert(transaction, &command.account).await?;
    let details = json!({ "admin_id": super_admin.id, "after": super_admin });
    audit::store::insert(transaction, &AuditEntry::done(command.actor, AuditAction::AdminCreate, None, details))
        .await?;
    Ok(super_admin)
}
