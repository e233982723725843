//! An owner changes, disables or enables a super-admin, or sets the password of another one.

use serde_json::json;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    clients::postgres::Postgres,
    error::{Conflict, Error, Result},
    passwords,
    precondition::IfMatch,
    revocations::{self, EndReason, EndedImpersonation},
    super_admins::{SuperAdmin, SuperAdminStatus, audited, check_new_password, store},
    types::{Actor, NewPassword, SuperAdminId, SuperAdminRole},
};

const ACTION: AuditAction = AuditAction::AdminUpdate;

/// The holder of a stolen session must not be able to take over the account, so the own password needs the current one: see
/// [`change_password`](super::change_password).
const OWN_PASSWORD: &str = "Your own password can only be changed with the current one: POST /auth/change-password";

/// Nobody shuts themselves out by mistake.
const OWN_RIGHTS: &str = "Your own role and status can only be changed by another owner";

/// `None` leaves a value unchanged.
pub struct UpdateSuperAdmin<'a> {
    pub actor: Actor<'a>,
    pub id: SuperAdminId,
    pub if_match: &'a IfMatch,
    pub role: Option<SuperAdminRole>,
    pub status: Option<SuperAdminStatus>,
    /// It is temporary: the super-admin must replace it.
    pub password: Option<&'a NewPassword>,
}

pub struct UpdatedSuperAdmin {
    pub super_admin: SuperAdmin,
    /// The caller passes them to the live list and pokes the relay.
    pub ended_impersonations: Vec<EndedImpersonation>,
}

/// Commits the change, the end of impersonations that the super-admin may no longer hold, and the audit entry together.
/// A command that changes nothing writes nothing.
pub async fn update(platform: &Postgres, command: &UpdateSuperAdmin<'_>) -> Result<UpdatedSuperAdmin> {
    if command.password.is_some() && command.actor.id == command.id.to_string() {
        return Err(refuse(platform, command, "own_password", OWN_PASSWORD).await?);
    }
    // No connection is held while the password is hashed, because that takes longer than all other work together.
    let password_hash = match command.password {
        Some(password) => Some(passwords::hash(password.expose()).await?),
        None => None,
    };
    let id = command.id;
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    // Every transaction takes this lock before it locks the row. Another order could deadlock.
    let owners = store::lock_owners(&transaction).await?;
    let before = store::find_for_update(&transaction, id).await?;
    command.if_match.check(before.revision, "super-admin")?;
    let role = command.role.unwrap_or(before.role);
    let status = command.status.unwrap_or(before.status);
    check_last_owner(&owners, id, (role, status))?;
    if (role, status) != (before.role, before.status) && command.actor.id == id.to_string() {
        drop(transaction);
        drop(connection);
        return Err(refuse(platform, command, "own_rights", OWN_RIGHTS).await?);
    }
    if let Some(password) = command.password {
        if before.subject.is_some() {
            return Err(Conflict::NoPassword.into());
        }
        check_new_password(password, &before.email, "/password")?;
    }
    if let Some(password_hash) = &password_hash {
        store::set_temporary_password(&transaction, id, password_hash).await?;
    }
    if role == before.role && status == before.status && password_hash.is_none() {
        return Ok(UpdatedSuperAdmin { super_admin: before, ended_impersonations: Vec::new() });
    }
    let after = store::update(&transaction, id, role, status).await?;
    let ended_impersonations = match end_reason(before.role, (after.role, after.status)) {
        Some(reason) => revocations::end_of_super_admin(&transaction, id, reason, command.actor).await?,
        None => Vec::new(),
    };
    let details = json!({
        "admin_id": id,
        "before": audited(&before),
        "after": audited(&after),
        "password_set": password_hash.is_some(),
    });
    audit::store::insert(&transaction, &AuditEntry::done(command.actor, ACTION, None, details)).await?;
    transaction.commit().await?;
    Ok(UpdatedSuperAdmin { super_admin: after, ended_impersonations })
}

/// Records the attempt in the audit log.
async fn refuse(
    platform: &Postgres,
    command: &UpdateSuperAdmin<'_>,
    reason: &str,
    message: &'static str,
) -> Result<Error> {
    let details = json!({ "admin_id": command.id, "reason": reason });
    let entry = AuditEntry::done(command.actor, ACTION, None, details).refused();
    audit::store::insert(&platform.get().await?, &entry).await?;
    Ok(Error::Forbidden(message))
}

/// Fails with [`Conflict::LastOwner`] if the only active owner would be none any more.
fn check_last_owner(
    owners: &[SuperAdminId],
    id: SuperAdminId,
    (role, status): (SuperAdminRole, SuperAdminStatus),
) -> Result<(), Conflict> {
    let remains_owner = role == SuperAdminRole::Owner && status == SuperAdminStatus::Active;
    if owners == [id] && !remains_owner { Err(Conflict::LastOwner) } else { Ok(()) }
}

/// Why the super-admin's impersonations end, if they do. A demotion ends them all, because each may have been started with
/// a permission that is lost.
fn end_reason(before: SuperAdminRole, (role, status): (SuperAdminRole, SuperAdminStatus)) -> Option<EndReason> {
    if status == SuperAdminStatus::Disabled {
        Some(EndReason::OperatorDisabled)
    } else {
        (!role.allows(before)).then_some(EndReason::OperatorRoleChanged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_active_owner_must_stay_one() {
        let (one, other) = (SuperAdminId::generate(), SuperAdminId::generate());
        for &role in SuperAdminRole::ALL {
            for &status in SuperAdminStatus::ALL {
                let stays = role == SuperAdminRole::Owner && status == SuperAdminStatus::Active;
                assert_eq!(check_last_owner(&[one], one, (role, status)).is_ok(), stays, "{role:?} {status:?}");
                for owners in [&[one, other][..], &[other], &[]] {
                    assert!(check_last_owner(owners, one, (role, status)).is_ok(), "{owners:?} {role:?} {status:?}");
                }
            }
        }
    }

    #[test]
    fn impersonations_end_with_a_right_and_not_with_a_promotion() {
        use SuperAdminRole::{Operator, Owner, Viewer};
        for (before, after, ends) in [
            (Owner, Owner, false),
            (Owner, Operator, true),
            (Owner, Viewer, true),
            (Operator, Owner, false),
            (Operator, Operator, false),
            (Operator, Viewer, true),
            (Viewer, Operator, false),
        ] {
            let reason = ends.then_some(EndReason::OperatorRoleChanged);
            assert_eq!(end_reason(before, (after, SuperAdminStatus::Active)), reason, "{before:?} {after:?}");
            let disabled = end_reason(before, (after, SuperAdminStatus::Disabled));
            assert_eq!(disabled, Some(EndReason::OperatorDisabled), "{before:?} {after:?}");
        }
    }
}
