//! Events about users.

use serde::Serialize;

use crate::{error::Result, events::EventType, tenant_changes::ChangeEvent, types::TenantId, users::User};

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
    /// The personal data were erased; the user's sessions have ended.
    Erased,
}

/// The data of an event about a user.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct UserEventData<'a> {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The number of changes of the user. Of two events about one user, the one with the higher revision is newer.
    #[cfg_attr(feature = "http", schema(minimum = 1, example = 3))]
    pub revision: i64,
    /// The user after the change.
    pub user: &'a User,
}

impl UserEvent {
    /// The event, with the user after the change.
    pub fn of(self, tenant_id: TenantId, user: &User) -> Result<ChangeEvent> {
        ChangeEvent::new(self.kind(), UserEventData { tenant_id, revision: user.revision, user })
    }

    fn kind(self) -> EventType {
        match self {
            Self::Created => EventType::UserCreated,
            Self::Updated => EventType::UserUpdated,
            Self::Deactivated => EventType::UserDeactivated,
            Self::Reactivated => EventType::UserReactivated,
            Self::PasswordReset => EventType::UserPasswordReset,
            Self::Erased => EventType::UserErased,
        }
    }
}
