//! Events about users.

use serde_json::json;

use crate::{tenant_changes::ChangeEvent, types::TenantId, users::User};

/// A change of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserEvent {
    Created,
    /// The name or the role changed.
    Updated,
    /// The user may no longer sign in; their sessions have ended.
    Deactivated,
    /// The user may sign in again.
    Reactivated,
    /// The password was changed; the user's sessions have ended.
    PasswordReset,
}

impl UserEvent {
    /// The event, with the user after the change. `revision` orders the events of one user.
    pub fn of(self, tenant_id: TenantId, user: &User) -> ChangeEvent {
        let data = json!({ "tenant_id": tenant_id, "revision": user.revision, "user": user });
        ChangeEvent { kind: self.name().to_owned(), data }
    }

    /// The `type` of the event.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "user.created",
            Self::Updated => "user.updated",
            Self::Deactivated => "user.deactivated",
            Self::Reactivated => "user.reactivated",
            Self::PasswordReset => "user.password_reset",
        }
    }
}
