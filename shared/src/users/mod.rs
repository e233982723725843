//! The users of a tenant: its agents, in the tenant's own database.

mod events;
pub mod store;

pub use events::UserEvent;
use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    types::single_line,
    types::{UserId, optional_timestamp, timestamp},
};

keyword_enum! {
    /// What an agent is to the tenant.
    #[cfg_attr(feature = "http", schema(as = AgentRole))]
    UserRole {
        /// Runs the workplace.
        Admin = "admin",
        /// Leads agents.
        Supervisor = "supervisor",
        /// Answers conversations.
        Agent = "agent",
    }
}

keyword_enum! {
    /// Whether an agent may work.
    #[cfg_attr(feature = "http", schema(as = AgentStatus))]
    UserStatus {
        /// May sign in, and counts against the limit.
        Active = "active",
        /// May not; what they did stays theirs.
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

/// A tenant's user, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct User {
    /// Id (UUIDv7), unique in the tenant.
    pub id: UserId,
    /// E-mail address, unique in the tenant without regard to case.
    #[cfg_attr(feature = "http", schema(max_length = 254, example = "sari@kopikenangan.example"))]
    pub email: String,
    /// Name that people read.
    #[cfg_attr(feature = "http", schema(min_length = 1, max_length = 120, example = "Sari Wulandari"))]
    pub full_name: String,
    /// What they are to the tenant.
    pub role: UserRole,
    /// Whether they may work.
    pub status: UserStatus,
    /// Whether a client of theirs was alive a moment ago. A presence that is not renewed expires.
    pub is_online: bool,
    /// When a client of theirs was last alive; `null` if never.
    #[serde(serialize_with = "optional_timestamp")]
    pub last_seen_at: Option<OffsetDateTime>,
    /// When they were added.
    #[serde(serialize_with = "timestamp")]
    pub created_at: OffsetDateTime,
    /// When they were last changed.
    #[serde(serialize_with = "timestamp")]
    pub updated_at: OffsetDateTime,
    /// Counts every change that an operator can make; the entity tag is made of it.
    #[serde(skip)]
    pub revision: i64,
}

impl User {
    /// Whether they run the workplace, and may do so.
    pub fn is_active_admin(&self) -> bool {
        self.role == UserRole::Admin && self.status == UserStatus::Active
    }
}
