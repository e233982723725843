//! Updating a user in a tenant's own database ([`tenant_changes`]).

use serde_json::{Map, Value, json};

use crate::{
    audit::{AuditAction, AuditEntry},
    clients::{
        postgres::{Connection, Postgres},
        tenant_databases::TenantDatabases,
    },
    error::{Error, Result},
    passwords,
    precondition::IfMatch,
    revocations::{self, EndedImpersonation, store::tenant_record},
    tenant_changes::{self, Change, ChangeResult, NewChange},
    tenants::{self, store::TenantLocation},
    types::{FaultCode, InvalidValue, NewPassword, TenantId, UserId},
    users::{
        Authority, FullName, PlatformAction, User, UserEvent, UserRole, UserStatus, rules,
        store::{self, UserChange},
    },
};

const ACTION: AuditAction = AuditAction::UserUpdate;

/// A request to update a user. Absent fields stay as they are.
#[derive(Debug)]
pub struct UpdateUser<'a> {
    pub authority: Authority<'a>,
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
    /// To be passed to the live list.
    pub ended: Vec<EndedImpersonation>,
}

/// Updates a user. A change that deactivates the user also ends their sessions and impersonations; a new password ends their
/// sessions. The tenant keeps one active admin.
///
/// A request to deactivate a user who is deactivated already still ends impersonations. If an earlier request was cut off
/// before it did so, this is faster than waiting until the relay settles that one.
pub async fn update(platform: &Postgres, databases: &TenantDatabases, command: &UpdateUser<'_>) -> Result<UpdatedUser> {
    let location = tenants::store::find_location(&platform.get().await?, command.tenant_id).await?;
    let current = databases.within(find(databases, &location, command.user_id)).await?;
    command.if_match.check(current.revision, "user")?;
    current.require_not_erased()?;
    if command.changes(&current) {
        let mut details = json!({ "user_id": command.user_id, "wanted": command.details() });
        command.authority.add_to(&mut details);
        let actions = command.actions(&current);
        command.authority.check(platform, (command.tenant_id, ACTION), &actions, details).await?;
        command.check_password(&current)?;
        return change(platform, databases, &location, command).await;
    }
    let ended =
        if command.deactivates() { end_impersonations(&mut platform.get().await?, command).await? } else { Vec::new() };
    Ok(UpdatedUser { user: current, is_changed: false, ended })
}

pub(super) async fn find(databases: &TenantDatabases, location: &TenantLocation, id: UserId) -> Result<User> {
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
    let mut details = json!({ "user_id": command.user_id, "wanted": command.details() });
    command.authority.add_to(&mut details);
    let entry = AuditEntry::done(command.authority.actor, ACTION, command.tenant_id, details);
    let change = tenant_changes::begin(&platform, &NewChange::new(command.tenant_id, entry)).await?;
    let apply = apply(databases, location, command, password_hash.as_deref(), &change);
    match databases.within(apply).await {
        Ok((user, result)) => {
            let ended = change.complete_in_order(&mut platform, databases, location, result).await?;
            Ok(UpdatedUser { user, is_changed: true, ended })
        }
        Err(error) => {
            change.fail(&mut platform, &error, None).await;
            Err(error)
        }
    }
}

/// Commits the change in the tenant's database. Returns the user after it, and what follows from it.
async fn apply(
    databases: &TenantDatabases,
    location: &TenantLocation,
    command: &UpdateUser<'_>,
    password_hash: Option<&str>,
    change: &Change,
) -> Result<(User, ChangeResult)> {
    let (cluster, database) = location.require_active()?;
    let mut connection = databases.get(cluster, database).await?;
    let transaction = connection.transaction().await?;
    store::lock(&transaction).await?;
    let before = store::find_for_update(&transaction, command.user_id).await?;
    command.if_match.check(before.revision, "user")?;
    before.require_not_erased()?;
    let wanted = command.apply_to(&before, password_hash);
    if wanted.needs_other_admin(&before) {
        rules::require_other_admin(&transaction, before.id).await?;
    }
    if wanted.needs_seat(&before) {
        rules::require_seat(&transaction, location.limits.max_agents).await?;
    }
    // The role may have changed since it was read first.
    let actions = command.actions(&before);
    if !actions.is_empty() {
        let (super_admin, reason) = (command.authority.super_admin(), command.authority.require()?);
        store::platform_actions::insert(&transaction, before.id, &actions, super_admin, reason).await?;
    }
    let after = store::update(&transaction, before.id, &wanted).await?;
    if after.status == UserStatus::Deactivated {
        tenant_record::end_of_user(&transaction, before.id).await?;
    }
    let result = result_of(command, &before, &after)?;
    change.commit(transaction, &result).await?;
    Ok((after, result))
}

fn result_of(command: &UpdateUser<'_>, before: &User, after: &User) -> Result<ChangeResult> {
    let password_reset = command.password.is_some();
    let events = events_of(before, after, password_reset);
    let mut details = json!({
        "user_id": after.id, "before": shown(before), "after": shown(after), "password_reset": password_reset,
    });
    command.authority.add_to(&mut details);
    Ok(ChangeResult {
        details,
        events: events.into_iter().map(|event| event.of(command.tenant_id, after)).collect::<Result<_>>()?,
        deactivated_user: command.deactivates().then_some(after.id),
        response: None,
    })
}

async fn end_impersonations(platform: &mut Connection, command: &UpdateUser<'_>) -> Result<Vec<EndedImpersonation>> {
    let transaction = platform.transaction().await?;
    let ended =
        revocations::end_of_user(&transaction, command.tenant_id, command.user_id, command.authority.actor).await?;
    transaction.commit().await?;
    Ok(ended)
}

impl UserChange<'_> {
    /// Whether the tenant loses an active admin.
    fn needs_other_admin(&self, before: &User) -> bool {
        before.is_active_admin() && !(self.role == UserRole::Admin && self.status == UserStatus::Active)
    }

    fn needs_seat(&self, before: &User) -> bool {
        before.status == UserStatus::Deactivated && self.status == UserStatus::Active
    }
}

impl UpdateUser<'_> {
    fn changes(&self, user: &User) -> bool {
        self.password.is_some()
            || self.full_name.is_some_and(|name| name.as_str() != user.full_name)
            || self.role.is_some_and(|role| role != user.role)
            || self.status.is_some_and(|status| status != user.status)
    }

    /// What only an owner may do to this user, with a reason.
    fn actions(&self, user: &User) -> Vec<PlatformAction> {
        PlatformAction::of(Some(user), self.role.unwrap_or(user.role), self.password.is_some())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        types::{Actor, SuperAdminRole},
        users::tests::user,
    };

    fn all_users() -> impl Iterator<Item = User> {
        UserRole::ALL.iter().flat_map(|role| UserStatus::ALL.iter().map(|status| user(*role, *status)))
    }

    /// What a request may want: `true` for another name or a new password.
    type Wanted = (bool, Option<UserRole>, Option<UserStatus>, bool);

    fn all_wanted() -> impl Iterator<Item = Wanted> {
        fn optional<T: Copy>(all: &'static [T]) -> impl Iterator<Item = Option<T>> {
            [None].into_iter().chain(all.iter().copied().map(Some))
        }
        [false, true].into_iter().flat_map(|name| {
            optional(UserRole::ALL).flat_map(move |role| {
                optional(UserStatus::ALL)
                    .flat_map(move |status| [false, true].map(|password| (name, role, status, password)))
            })
        })
    }

    /// Checks a property of every request for every user, with the user before and after it.
    fn for_all(check: impl Fn(&UpdateUser<'_>, &User, &User, Wanted)) {
        let (name, password) =
            (FullName::parse("Sari W").unwrap(), NewPassword::parse("tidal-mango-orbit-42").unwrap());
        for before in all_users() {
            for wanted @ (renamed, role, status, sets_password) in all_wanted() {
                let command = UpdateUser {
                    authority: Authority {
                        actor: Actor::SYSTEM,
                        role: SuperAdminRole::Owner,
                        email: None,
                        reason: None,
                    },
                    tenant_id: TenantId::generate(),
                    user_id: before.id,
                    if_match: &IfMatch::default(),
                    full_name: renamed.then_some(&name),
                    role,
                    status,
                    password: sets_password.then_some(&password),
                };
                let change = command.apply_to(&before, sets_password.then_some("hash"));
                let full_name = change.full_name.to_owned();
                let after = User { full_name, role: change.role, status: change.status, ..before.clone() };
                check(&command, &before, &after, wanted);
            }
        }
    }

    #[test]
    fn a_request_changes_what_it_contains_and_nothing_else() {
        for_all(|command, before, after, (renamed, role, status, password)| {
            assert_eq!(after.full_name, if renamed { "Sari W" } else { "Sari" });
            assert_eq!((after.role, after.status), (role.unwrap_or(before.role), status.unwrap_or(before.status)));
            assert_eq!(command.changes(before), password || after != before, "{command:?}");
            assert_eq!(command.deactivates(), status == Some(UserStatus::Deactivated));
        });
    }

    #[test]
    fn sessions_end_with_a_deactivation_and_a_new_password() {
        for_all(|command, before, after, (.., password)| {
            let hash = password.then_some("hash");
            let is_deactivated = before.status == UserStatus::Active && after.status == UserStatus::Deactivated;
            assert_eq!(command.apply_to(before, hash).ends_sessions, is_deactivated || password, "{command:?}");
        });
    }

    #[test]
    fn an_admin_who_is_lost_needs_another_and_a_reactivated_user_needs_a_seat() {
        for_all(|command, before, after, _| {
            let change = command.apply_to(before, None);
            let is_admin = |user: &User| (user.role, user.status) == (UserRole::Admin, UserStatus::Active);
            assert_eq!(before.is_active_admin(), is_admin(before));
            assert_eq!(change.needs_other_admin(before), is_admin(before) && !is_admin(after));
            let is_reactivated = (before.status, after.status) == (UserStatus::Deactivated, UserStatus::Active);
            assert_eq!(change.needs_seat(before), is_reactivated, "{command:?}");
        });
    }

    #[test]
    fn granting_the_role_admin_and_setting_a_password_are_for_owners() {
        for_all(|command, before, after, (.., password)| {
            let is_granted = after.role == UserRole::Admin && before.role != UserRole::Admin;
            let expected = [(is_granted, PlatformAction::AdminGranted), (password, PlatformAction::PasswordSet)];
            let expected: Vec<_> = expected.into_iter().filter_map(|(is, action)| is.then_some(action)).collect();
            assert_eq!(command.actions(before), expected, "{command:?}");
        });
    }

    #[test]
    fn each_kind_of_change_has_its_event() {
        for_all(|_, before, after, (renamed, _, _, password)| {
            let kinds = [
                (renamed || after.role != before.role, UserEvent::Updated),
                (
                    (before.status, after.status) == (UserStatus::Active, UserStatus::Deactivated),
                    UserEvent::Deactivated,
                ),
                (
                    (before.status, after.status) == (UserStatus::Deactivated, UserStatus::Active),
                    UserEvent::Reactivated,
                ),
                (password, UserEvent::PasswordReset),
            ];
            let expected: Vec<_> = kinds.into_iter().filter_map(|(is, event)| is.then_some(event)).collect();
            assert_eq!(events_of(before, after, password), expected);
        });
    }

    #[test]
    fn a_password_must_not_be_guessable_from_the_new_name() {
        let (name, password) = (FullName::parse("Wulandari Kusumawati").unwrap(), "WulandariKusumawati1");
        let password = NewPassword::parse(password).unwrap();
        let before = user(UserRole::Agent, UserStatus::Active);
        for_all(|command, _, _, _| {
            let command = UpdateUser { full_name: Some(&name), password: Some(&password), ..*command };
            assert!(command.check_password(&before).is_err());
            assert!(UpdateUser { full_name: None, ..command }.check_password(&before).is_ok());
            assert!(UpdateUser { password: None, ..command }.check_password(&before).is_ok());
        });
    }
}
