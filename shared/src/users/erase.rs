//! Erasing the personal data of a user on request ([`tenant_changes`]): in the tenant's own database, and in the platform database,
//! which mentions users in its audit log, in impersonations, in pending events and in stored responses.

use serde_json::{Value, json};

use crate::{
    audit::{AuditAction, AuditEntry},
    clients::{postgres::Postgres, tenant_databases::TenantDatabases},
    error::{Error, Result},
    precondition::IfMatch,
    revocations::store::tenant_record,
    tenant_changes::{self, Change, ChangeResult, ErasedUser, NewChange},
    tenants::{self, store::TenantLocation},
    types::{TenantId, UserId},
    users::{Authority, PlatformAction, UpdatedUser, User, UserEvent, UserStatus, rules, store, update::find},
};

const ACTION: AuditAction = AuditAction::UserErase;

/// A request to erase the personal data of a user.
#[derive(Debug)]
pub struct EraseUser<'a> {
    /// Must have a reason, and the role `owner`.
    pub authority: Authority<'a>,
    pub tenant_id: TenantId,
    pub user_id: UserId,
    pub if_match: &'a IfMatch,
}

/// Erases the name, the e-mail address and the password of a user. The user is deactivated, and their sessions and impersonations
/// end. The tenant keeps one active admin.
///
/// If the data are erased already, nothing is changed; but if an earlier request was cut off before it reached the platform
/// database, its erasure is finished first.
pub async fn erase(platform: &Postgres, databases: &TenantDatabases, command: &EraseUser<'_>) -> Result<UpdatedUser> {
    let reason = command.authority.require()?;
    let location = tenants::store::find_location(&platform.get().await?, command.tenant_id).await?;
    let current = databases.within(find(databases, &location, command.user_id)).await?;
    command.if_match.check(current.revision, "user")?;
    if current.erased_at.is_some() {
        let ended = tenant_changes::settle_of_user(platform, databases, &location, current.id).await?;
        return Ok(UpdatedUser { user: current, is_changed: false, ended });
    }
    let details = json!({ "user_id": current.id, "reason": reason.as_str() });
    let erased_user = ErasedUser { id: current.id, email: current.email, full_name: current.full_name };
    let entry = AuditEntry::done(command.authority.actor, ACTION, command.tenant_id, details);
    let new = NewChange { erased_user: Some(&erased_user), ..NewChange::new(command.tenant_id, entry) };
    let change = tenant_changes::begin(&platform.get().await?, &new).await?;
    match databases.within(apply(databases, &location, command, &erased_user, &change)).await {
        Ok((user, result)) => {
            let ended = change.complete_erasure(platform, databases, &location, result).await?;
            Ok(UpdatedUser { user, is_changed: true, ended })
        }
        Err(error) => {
            change.fail(&mut platform.get().await?, &error, None).await;
            Err(error)
        }
    }
}

/// Commits the erasure in the tenant's database. Returns the user after it, and what follows from it, without personal data.
async fn apply(
    databases: &TenantDatabases,
    location: &TenantLocation,
    command: &EraseUser<'_>,
    erased_user: &ErasedUser,
    change: &Change,
) -> Result<(User, ChangeResult)> {
    let (cluster, database) = location.require_active()?;
    let mut connection = databases.get(cluster, database).await?;
    let transaction = connection.transaction().await?;
    store::lock(&transaction).await?;
    let before = store::find_for_update(&transaction, command.user_id).await?;
    command.if_match.check(before.revision, "user")?;
    before.require_not_erased()?;
    if (&before.email, &before.full_name) != (&erased_user.email, &erased_user.full_name) {
        // The open change contains other words than those that must be found. The next request reads the new ones.
        return Err(Error::DeadlineExceeded);
    }
    if before.is_active_admin() {
        rules::require_other_admin(&transaction, before.id).await?;
    }
    let (super_admin, reason) = (command.authority.super_admin(), command.authority.require()?);
    // Before the erasure, which also reaches the reason.
    store::platform_actions::insert(&transaction, before.id, &[PlatformAction::UserErased], super_admin, reason)
        .await?;
    let after = store::erase(&transaction, before.id).await?;
    tenant_record::end_of_user(&transaction, before.id).await?;
    let result = result_of(command.tenant_id, &before, &after)?;
    change.commit(transaction, &result).await?;
    Ok((after, result))
}

/// The reason stays in the entry of the intent only, because the marker must not contain a text that may name the user.
fn result_of(tenant_id: TenantId, before: &User, after: &User) -> Result<ChangeResult> {
    let mut events = Vec::new();
    if before.status == UserStatus::Active {
        events.push(UserEvent::Deactivated.of(tenant_id, after)?);
    }
    events.push(UserEvent::Erased.of(tenant_id, after)?);
    let details = json!({ "user_id": after.id, "before": shown(before), "after": shown(after) });
    Ok(ChangeResult { details, events, deactivated_user: Some(after.id), response: None })
}

fn shown(user: &User) -> Value {
    json!({ "role": user.role, "status": user.status })
}
