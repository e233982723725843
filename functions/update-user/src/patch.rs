//! What a patch of a user says, and what it changes.

use deserr::Deserr;
use serde_json::{Map, Value, json};
use shared::{
    error::{Error, Result},
    http::{BodyErrors, Field},
    types::NewPassword,
    users::{FullName, User, UserEvent, UserRole, UserStatus, store::UserChange},
};
use utoipa::ToSchema;

/// What is changed; what is left out stays.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
pub(crate) struct UserPatch {
    /// Name that people read.
    #[deserr(default)]
    full_name: Field<FullName>,
    /// What they are to the tenant. Its last active admin stays one.
    #[deserr(default)]
    role: Field<UserRole>,
    /// `deactivated` frees the seat and ends every session and impersonation; `active` takes a seat again.
    #[deserr(default)]
    status: Field<UserStatus>,
    /// A new password, which ends every session.
    #[deserr(default)]
    pub(crate) password: Field<NewPassword>,
}

impl UserPatch {
    /// Whether anything of the user is not as it says.
    pub(crate) fn changes(&self, user: &User) -> bool {
        self.password.0.is_some()
            || self.full_name.0.as_ref().is_some_and(|name| name.as_str() != user.full_name)
            || self.role.0.is_some_and(|role| role != user.role)
            || self.status.0.is_some_and(|status| status != user.status)
    }

    /// Whether the user is to be deactivated, who may be so already.
    pub(crate) fn deactivates(&self) -> bool {
        self.status.0 == Some(UserStatus::Deactivated)
    }

    /// Refuses a password that is made of the user's own words.
    pub(crate) fn refuse_guessable(&self, user: &User) -> Result<()> {
        let name = self.full_name.0.as_ref().map_or(&*user.full_name, FullName::as_str);
        match &self.password.0 {
            Some(password) if password.is_guessable_from(&[&user.email, name]) => {
                Err(Error::invalid_body("/password", "is too easy to guess from the user's own name"))
            }
            _ => Ok(()),
        }
    }

    /// The user with what it says in its place.
    pub(crate) fn apply<'a>(&'a self, user: &'a User, password_hash: Option<&'a str>) -> UserChange<'a> {
        let status = self.status.0.unwrap_or(user.status);
        let leaves = user.status == UserStatus::Active && status == UserStatus::Deactivated;
        UserChange {
            full_name: self.full_name.0.as_ref().map_or(&*user.full_name, FullName::as_str),
            role: self.role.0.unwrap_or(user.role),
            status,
            password_hash,
            ends_sessions: leaves || password_hash.is_some(),
        }
    }

    /// What the audit entry keeps of it.
    pub(crate) fn shown(&self) -> Value {
        let fields = [
            ("full_name", self.full_name.0.as_ref().map(|name| json!(name.as_str()))),
            ("role", self.role.0.map(|role| json!(role))),
            ("status", self.status.0.map(|status| json!(status))),
            ("password_reset", self.password.0.as_ref().map(|_| json!(true))),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
    }
}

/// What the audit entry keeps of a user: what a patch can change.
pub(crate) fn shown(user: &User) -> Value {
    json!({ "full_name": user.full_name, "role": user.role, "status": user.status })
}

/// The events of a change, in the order in which they are told.
pub(crate) fn kinds(before: &User, after: &User, password_reset: bool) -> Vec<UserEvent> {
    let mut kinds = Vec::new();
    if before.full_name != after.full_name || before.role != after.role {
        kinds.push(UserEvent::Updated);
    }
    match (before.status, after.status) {
        (UserStatus::Active, UserStatus::Deactivated) => kinds.push(UserEvent::Deactivated),
        (UserStatus::Deactivated, UserStatus::Active) => kinds.push(UserEvent::Reactivated),
        _ => {}
    }
    if password_reset {
        kinds.push(UserEvent::PasswordReset);
    }
    kinds
}
