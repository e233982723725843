//! Updating a user in a tenant's own database.
//!
//! The intent is committed in the platform database, then the change in the tenant's, then the outcome in the platform's: the
//! events, the audit entry, and the ends of impersonations of a deactivated user.

use serde_json::{Map, Value, json};

use crate::{
    audit::{AuditEntry, AuditedChange},
    clients::{
        postgres::{Connection, Postgres},
        tenant_databases::TenantDatabases,
    },
    error::{Error, Result},
    events, passwords,
    precondition::IfMatch,
    revocations::{self, EndedImpersonation, store::tenant_record},
    tenants::{self, store::TenantLocation},
    types::{Actor, FaultCode, InvalidValue, NewPassword, TenantId, UserId},
    users::{
        FullName, User, UserEvent, UserRole, UserStatus, rules,
        store::{self, UserChange},
    },
};

/// A request to update a user. Absent fields stay as they are.
#[derive(Debug)]
pub struct UpdateUser<'a> {
    pub actor: Actor<'a>,
    pub tenant_id: TenantId,
    pub user_id: UserId,
    pub if_match: &'a IfMatch,
    pub full_name: Option<&'a FullName>,
    pub role: Option<UserRole>,
    pub status: Option<UserStatus>,
    pub password: Option<&'a NewPassword>,
}

/// The outcome of an update.
#[derive(Debug)]
pub struct UpdatedUser {
    pub user: User,
    /// Whether anything was changed. If not, nothing was written.
    pub is_changed: bool,
    /// To be passed to the deny list.
    pub ended: Vec<EndedImpersonation>,
}

/// Updates a user. A change that deactivates the user also ends their sessions and impersonations; a new password ends their
/// sessions. The tenant keeps one active admin.
///
/// A request to deactivate a user who is deactivated already still ends impersonations, because an earlier request may have
/// been cut off before it did so.
pub async fn update(platform: &Postgres, databases: &TenantDatabases, command: &UpdateUser<'_>) -> Result<UpdatedUser> {
    let location = tenants::store::find_location(&platform.get().await?, command.tenant_id).await?;
    let current = databases.within(find(databases, &location, command.user_id)).await?;
    command.if_match.check(current.revision, "user")?;
    if command.changes(&current) {
        command.check_password(&current)?;
        return change(platform, databases, &location, command).await;
    }
    let ended =
        if command.deactivates() { end_impersonations(&mut platform.get().await?, command).await? } else { Vec::new() };
    Ok(UpdatedUser { user: current, is_changed: false, ended })
}

async fn find(databases: &TenantDatabases, location: &TenantLocation, id: UserId) -> Result<User> {
    let (cluster, database) = location.require_active()?;
    store::find(&databases.get(cluster, database).await?, id).await
}

async fn change(
    platform: &Postgres,
    databases: &TenantDatabases,
    location: &TenantLocation,
    command: &UpdateUser<'_>,
) -> Result<UpdatedUser> {
    let password_hash = match command.password {
        Some(password) => Some(passwords::hash(password.expose()).await?),
        None => None,
    };
    let mut platform = platform.get().await?;
    let details = json!({ "user_id": command.user_id, "wanted": command.details() });
    let entry = AuditEntry::done(command.actor, "user.update", command.tenant_id, details);
    let change = AuditedChange::begin(&platform, entry).await?;
    let apply = apply(databases, location, command, password_hash.as_deref(), &change);
    let (before, after) = match databases.within(apply).await {
        Ok(changed) => changed,
        Err(error) => {
            change.fail(&platform, &error).await;
            return Err(error);
        }
    };
    let ended = record_outcome(&mut platform, command, &before, &after, change).await?;
    Ok(UpdatedUser { user: after, is_changed: true, ended })
}

/// Commits the change in the tenant's database. Returns the user before and after.
async fn apply(
    databases: &TenantDatabases,
    location: &TenantLocation,
    command: &UpdateUser<'_>,
    password_hash: Option<&str>,
    change: &AuditedChange<'_>,
) -> Result<(User, User)> {
    let (cluster, database) = location.require_active()?;
    let mut connection = databases.get(cluster, database).await?;
    let transaction = connection.transaction().await?;
    store::lock(&transaction).await?;
    let before = store::find_for_update(&transaction, command.user_id).await?;
    command.if_match.check(before.revision, "user")?;
    let wanted = command.apply_to(&before, password_hash);
    if before.is_active_admin() && !(wanted.role == UserRole::Admin && wanted.status == UserStatus::Active) {
        rules::require_other_admin(&transaction, before.id).await?;
    }
    if before.status == UserStatus::Deactivated && wanted.status == UserStatus::Active {
        rules::require_seat(&transaction, location.limits.max_agents).await?;
    }
    let after = store::update(&transaction, before.id, &wanted).await?;
    if after.status == UserStatus::Deactivated {
        tenant_record::end_of_user(&transaction, before.id).await?;
    }
    change.commit(transaction).await?;
    Ok((before, after))
}

/// Commits the outcome in the platform database.
async fn record_outcome(
    platform: &mut Connection,
    command: &UpdateUser<'_>,
    before: &User,
    after: &User,
    change: AuditedChange<'_>,
) -> Result<Vec<EndedImpersonation>> {
    let transaction = platform.transaction().await?;
    // The lock orders the events among those of the tenant.
    tenants::store::find_for_update(&transaction, command.tenant_id).await?;
    let password_reset = command.password.is_some();
    for event in events_of(before, after, password_reset) {
        events::store::enqueue_event(&transaction, &event.of(command.tenant_id, after)).await?;
    }
    let details = json!({
        "user_id": after.id, "before": shown(before), "after": shown(after), "password_reset": password_reset,
    });
    change.complete(&transaction, details).await?;
    let ended = if command.deactivates() {
        revocations::end_of_user(&transaction, command.tenant_id, after.id, command.actor).await?
    } else {
        Vec::new()
    };
    transaction.commit().await?;
    Ok(ended)
}

async fn end_impersonations(platform: &mut Connection, command: &UpdateUser<'_>) -> Result<Vec<EndedImpersonation>> {
    let transaction = platform.transaction().await?;
    let ended = revocations::end_of_user(&transaction, command.tenant_id, command.user_id, command.actor).await?;
    transaction.commit().await?;
    Ok(ended)
}

impl UpdateUser<'_> {
    fn changes(&self, user: &User) -> bool {
        self.password.is_some()
            || self.full_name.is_some_and(|name| name.as_str() != user.full_name)
            || self.role.is_some_and(|role| role != user.role)
            || self.status.is_some_and(|status| status != user.status)
    }

    fn deactivates(&self) -> bool {
        self.status == Some(UserStatus::Deactivated)
    }

    /// Refuses a password that can be guessed from the user's e-mail address or name.
    fn check_password(&self, user: &User) -> Result<()> {
        let name = self.full_name.map_or(&*user.full_name, FullName::as_str);
        match self.password {
            Some(password) if password.is_guessable_from(&[&user.email, name]) => Err(Error::invalid_body(
                "/password",
                InvalidValue::new(FaultCode::WeakPassword, "is too easy to guess from the user's own name"),
            )),
            _ => Ok(()),
        }
    }

    fn apply_to<'a>(&'a self, user: &'a User, password_hash: Option<&'a str>) -> UserChange<'a> {
        let status = self.status.unwrap_or(user.status);
        let is_deactivated = user.status == UserStatus::Active && status == UserStatus::Deactivated;
        UserChange {
            full_name: self.full_name.map_or(&*user.full_name, FullName::as_str),
            role: self.role.unwrap_or(user.role),
            status,
            password_hash,
            ends_sessions: is_deactivated || password_hash.is_some(),
        }
    }

    /// The details of the intent's audit entry.
    fn details(&self) -> Value {
        let fields = [
            ("full_name", self.full_name.map(|name| json!(name.as_str()))),
            ("role", self.role.map(|role| json!(role))),
            ("status", self.status.map(|status| json!(status))),
            ("password_reset", self.password.map(|_| json!(true))),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
    }
}

/// The fields of a user that an audit entry records.
fn shown(user: &User) -> Value {
    json!({ "full_name": user.full_name, "role": user.role, "status": user.status })
}

/// The events of a change, in their order.
fn events_of(before: &User, after: &User, password_reset: bool) -> Vec<UserEvent> {
    let mut events = Vec::new();
    if before.full_name != after.full_name || before.role != after.role {
        events.push(UserEvent::Updated);
    }
    match (before.status, after.status) {
        (UserStatus::Active, UserStatus::Deactivated) => events.push(UserEvent::Deactivated),
        (UserStatus::Deactivated, UserStatus::Active) => events.push(UserEvent::Reactivated),
        _ => {}
    }
    if password_reset {
        events.push(UserEvent::PasswordReset);
    }
    events
}
