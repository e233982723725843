//! The way back in when no owner can sign in, for the operator of the deployment. No route of the API leads here.

use deadpool_postgres::Transaction;
use serde_json::json;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    clients::postgres::Connection,
    error::{Conflict, Result},
    passwords,
    revocations::{self, EndReason},
    super_admins::{
        SuperAdmin, SuperAdminStatus, audited,
        store::{self, NewSuperAdmin},
    },
    types::{Actor, EmailAddress, NewPassword, Reason, SuperAdminRole},
};

pub struct RecoverOwner<'a> {
    pub email: &'a EmailAddress,
    pub reason: &'a Reason,
}

pub struct RecoveredOwner {
    pub super_admin: SuperAdmin,
    /// Whether no super-admin had the e-mail address.
    pub is_new: bool,
    /// It is stored nowhere, so this is the only copy.
    pub temporary_password: NewPassword,
}

/// Makes the super-admin with this e-mail address an active owner with a temporary password, and ends their sessions and
/// impersonations. Creates the super-admin if none has the address.
///
/// The password is generated here rather than configured, so that it is never at rest: not in a secret, not in the environment
/// of a function, not in the event.
pub async fn recover_owner(platform: &mut Connection, command: &RecoverOwner<'_>) -> Result<RecoveredOwner> {
    let temporary_password = passwords::generate()?;
    let password_hash = passwords::hash(temporary_password.expose()).await?;
    let transaction = platform.transaction().await?;
    // In the order of every transaction that changes super-admins.
    store::lock_owners(&transaction).await?;
    let before = store::find_by_email_for_update(&transaction, command.email).await?;
    let super_admin = if let Some(before) = &before {
        reset(&transaction, before, &password_hash).await?
    } else {
        let owner = NewSuperAdmin {
            email: command.email,
            role: SuperAdminRole::Owner,
            password_hash: Some(&password_hash),
            subject: None,
        };
        store::insert(&transaction, &owner).await?
    };
    let details = json!({
        "admin_id": super_admin.id,
        "reason": command.reason.as_str(),
        "before": before.as_ref().map(audited),
        "after": audited(&super_admin),
    });
    audit::store::insert(&transaction, &AuditEntry::done(Actor::SYSTEM, AuditAction::AdminRecover, None, details))
        .await?;
    transaction.commit().await?;
    Ok(RecoveredOwner { super_admin, is_new: before.is_none(), temporary_password })
}

async fn reset(transaction: &Transaction<'_>, before: &SuperAdmin, password_hash: &str) -> Result<SuperAdmin> {
    if before.subject.is_some() {
        return Err(Conflict::NoPassword.into());
    }
    store::set_temporary_password(transaction, before.id, password_hash).await?;
    // They may be another person's, who had taken over the account. The relay writes the denials.
    revocations::end_of_super_admin(transaction, before.id, EndReason::OperatorRecovered, Actor::SYSTEM).await?;
    store::update(transaction, before.id, SuperAdminRole::Owner, SuperAdminStatus::Active).await
}
