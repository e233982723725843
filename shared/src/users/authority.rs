//! What only an owner may do to a tenant's users, and only with a reason: with the role `admin` or a known password, a super-admin
//! could act as a user without an impersonation. The tenant's admins read it in the tenant's own database.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    audit::{self, AuditAction, AuditEntry},
    clients::postgres::Postgres,
    error::{Error, Result},
    types::{Actor, FaultCode, InvalidValue, Reason, SuperAdminRole, TenantId},
    users::{User, UserRole},
};

keyword_enum! {
    /// An action in the record of the tenant's own database.
    PlatformAction {
        /// A user was created with the role `admin`, or got it.
        AdminGranted = "admin_granted",
        /// An existing user got a new password.
        PasswordSet = "password_set",
        /// The personal data of a user were erased.
        UserErased = "user_erased",
    }
}

impl PlatformAction {
    /// The actions of a change after which a user has `role`. `before` is `None` for a new user.
    pub(super) fn of(before: Option<&User>, role: UserRole, sets_password: bool) -> Vec<Self> {
        let mut actions = Vec::new();
        if role == UserRole::Admin && before.is_none_or(|user| user.role != UserRole::Admin) {
            actions.push(Self::AdminGranted);
        }
        if sets_password && before.is_some() {
            actions.push(Self::PasswordSet);
        }
        actions
    }
}

/// The authority of a super-admin who changes a tenant's users.
#[derive(Debug, Clone, Copy)]
pub struct Authority<'a> {
    pub actor: Actor<'a>,
    /// The role when the request was authorized.
    pub role: SuperAdminRole,
    pub email: Option<&'a str>,
    pub reason: Option<&'a Reason>,
}

impl<'a> Authority<'a> {
    /// The name in the tenant's record.
    pub(super) fn super_admin(&self) -> &'a str {
        self.email.unwrap_or(self.actor.id)
    }

    /// The reason. Fails unless the super-admin is an owner and has given one.
    pub(super) fn require(&self) -> Result<&'a Reason> {
        if !self.role.allows(SuperAdminRole::Owner) {
            return Err(Error::Forbidden("Granting the role admin and setting a user's password need the role owner"));
        }
        self.reason.ok_or_else(|| {
            let detail = "is required to grant the role admin or to set a user's password";
            Error::invalid_body("/reason", InvalidValue::new(FaultCode::Required, detail))
        })
    }

    /// Fails unless the super-admin may take all actions. Writes it to the audit log if the role does not allow them.
    pub(super) async fn check(
        &self,
        platform: &Postgres,
        (tenant_id, action): (TenantId, AuditAction),
        actions: &[PlatformAction],
        mut details: Value,
    ) -> Result<()> {
        if actions.is_empty() {
            return Ok(());
        }
        let Err(error) = self.require() else { return Ok(()) };
        if matches!(error, Error::Forbidden(_)) {
            details["error"] = error.to_string().into();
            let entry = AuditEntry::done(self.actor, action, tenant_id, details).refused();
            let written = async { audit::store::insert(&platform.get().await?, &entry).await };
            if let Err(error) = written.await {
                tracing::error!(error = error.chain(), "writing a refusal to the audit log failed");
            }
        }
        Err(error)
    }

    /// Adds the reason to the details of an audit entry.
    pub(super) fn add_to(&self, details: &mut Value) {
        if let Some(reason) = self.reason {
            details["reason"] = json!(reason.as_str());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(role: SuperAdminRole, reason: Option<&Reason>) -> Authority<'_> {
        Authority { actor: Actor::SYSTEM, role, email: Some("owner@landlord.example"), reason }
    }

    #[test]
    fn only_an_owner_with_a_reason_has_authority() {
        let reason = Reason::parse("The only admin has left the company").unwrap();
        for &role in SuperAdminRole::ALL {
            let with_reason = authority(role, Some(&reason));
            assert_eq!(with_reason.require().is_ok(), role == SuperAdminRole::Owner, "{role:?}");
            let refused = authority(role, None).require().unwrap_err();
            assert_eq!(matches!(refused, Error::Invalid(_)), role == SuperAdminRole::Owner, "{refused:?}");
        }
    }

    #[test]
    fn the_tenant_reads_the_name_and_the_audit_log_the_reason() {
        let reason = Reason::parse("The only admin has left the company").unwrap();
        let named = authority(SuperAdminRole::Owner, Some(&reason));
        assert_eq!(named.super_admin(), "owner@landlord.example");
        assert_eq!(Authority { email: None, ..named }.super_admin(), Actor::SYSTEM.id);
        let mut details = json!({});
        named.add_to(&mut details);
        assert_eq!(details, json!({ "reason": "The only admin has left the company" }));
    }

    #[test]
    fn an_admin_is_granted_once_and_a_new_user_has_no_earlier_password() {
        assert_eq!(PlatformAction::of(None, UserRole::Admin, true), [PlatformAction::AdminGranted]);
        assert_eq!(PlatformAction::of(None, UserRole::Agent, true), []);
    }
}
