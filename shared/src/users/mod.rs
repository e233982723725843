//! The users of a tenant: the people who work in it. They are stored in the tenant's own database.

mod authority;
pub mod create;
mod erase;
mod events;
mod filter;
mod reading;
mod rules;
pub mod store;
mod update;

pub use self::{
    authority::{Authority, PlatformAction},
    create::CreateUser,
    erase::{EraseUser, erase},
    filter::UserFilter,
    reading::{ReadScope, UsersRead, record, record_read},
    update::{UpdateUser, UpdatedUser, update},
};
pub use events::{UserEvent, UserEventData};

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    error::{Conflict, Result},
    types::{UserId, optional_timestamp, single_line, timestamp},
};

keyword_enum! {
    /// The role of a user in the tenant.
    #[cfg_attr(feature = "http", schema(as = AgentRole))]
    UserRole {
        /// Administers the tenant.
        Admin = "admin",
        /// Leads agents.
        Supervisor = "supervisor",
        /// Answers conversations.
        Agent = "agent",
    }
}

keyword_enum! {
    /// Whether a user may sign in.
    #[cfg_attr(feature = "http", schema(as = AgentStatus))]
    UserStatus {
        /// May sign in, and takes one of the tenant's seats.
        Active = "active",
        /// May not sign in, and takes no seat. Their history is kept.
        Deactivated = "deactivated",
    }
}

string_type! {
    /// The name of a person: 1–120 characters after trimming, in one visible line.
    FullName {
        parse: |text| single_line(text, 1, 120),
        schema: { format: "single-line", min_length: 1, max_length: 120, example: "Budi Santoso" },
    }
}

/// A user of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct User {
    /// Id (UUIDv7), unique in the tenant.
    pub id: UserId,
    /// E-mail address, unique in the tenant regardless of case.
    #[cfg_attr(feature = "http", schema(max_length = 254, example = "sari@kopikenangan.example"))]
    pub email: String,
    /// Display name.
    #[cfg_attr(feature = "http", schema(min_length = 1, max_length = 120, example = "Sari Wulandari"))]
    pub full_name: String,
    /// Role in the tenant.
    pub role: UserRole,
    /// Whether the user may sign in.
    pub status: UserStatus,
    /// Whether a super-admin set the password. Until the user has replaced it, the platform's services let them do nothing else.
    #[cfg_attr(feature = "http", schema(example = false))]
    pub must_change_password: bool,
    /// Whether a client of the user reported its presence recently. A presence that is not renewed expires.
    pub is_online: bool,
    /// When a client of the user last reported its presence; `null` if never.
    #[serde(serialize_with = "optional_timestamp")]
    pub last_seen_at: Option<OffsetDateTime>,
    /// When the user was created.
    #[serde(serialize_with = "timestamp")]
    pub created_at: OffsetDateTime,
    /// When the user was last changed.
    #[serde(serialize_with = "timestamp")]
    pub updated_at: OffsetDateTime,
    /// When the personal data were erased on request; `null` if they were not. Then the name and the e-mail address are placeholders,
    /// and the user cannot be changed any more.
    #[serde(serialize_with = "optional_timestamp")]
    pub erased_at: Option<OffsetDateTime>,
    /// Counts the changes that a super-admin can make. The entity tag is derived from it.
    #[serde(skip)]
    pub revision: i64,
}

impl User {
    pub fn is_active_admin(&self) -> bool {
        self.role == UserRole::Admin && self.status == UserStatus::Active
    }

    /// Fails with [`Conflict::UserErased`] if the personal data were erased.
    fn require_not_erased(&self) -> Result<()> {
        match self.erased_at {
            None => Ok(()),
            Some(_) => Err(Conflict::UserErased.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    /// A user of whom nothing else is known.
    pub(super) fn user(role: UserRole, status: UserStatus) -> User {
        User {
            id: UserId::generate(),
            email: "sari@kopi.example".to_owned(),
            full_name: "Sari".to_owned(),
            role,
            status,
            must_change_password: false,
            is_online: false,
            last_seen_at: None,
            created_at: OffsetDateTime::UNIX_EPOCH,
            updated_at: OffsetDateTime::UNIX_EPOCH,
            erased_at: None,
            revision: 1,
        }
    }

    #[test]
    fn an_erased_user_cannot_be_changed() {
        let erased = User { erased_at: Some(OffsetDateTime::UNIX_EPOCH), ..user(UserRole::Agent, UserStatus::Active) };
        assert!(matches!(erased.require_not_erased(), Err(Error::Conflict(Conflict::UserErased))));
        assert!(user(UserRole::Agent, UserStatus::Active).require_not_erased().is_ok());
    }
}
