//! Events of users.

use serde_json::json;

use crate::{events::Event, types::TenantId, users::User};

/// What happened to a user of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserEvent {
    /// Added.
    Created,
    /// Name or role changed.
    Updated,
    /// May not work any more; every session has ended.
    Deactivated,
    /// May work again.
    Reactivated,
    /// Has another password; every session has ended.
    PasswordReset,
}

impl UserEvent {
    /// The event, with the user as after the change. `revision` orders the events of one user.
    pub fn of(self, tenant_id: TenantId, user: &User) -> Event {
        Event::new(self.name(), tenant_id, json!({ "tenant_id": tenant_id, "revision": user.revision, "user": user }))
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
