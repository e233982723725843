//! Finding a person in every tenant, by their e-mail address or name, in the [user directory](crate::user_directory).

mod filter;
pub mod store;

pub use filter::UserSearchFilter;

use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    audit::{AuditAction, AuditEntry},
    tenants::TenantStatus,
    types::{Actor, TenantId, UserId, timestamp},
    users::{UserRole, UserStatus},
};

/// A user, with the tenant that the user belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FoundUser {
    /// The tenant of the user.
    pub tenant: FoundUserTenant,
    /// The user.
    pub user: FoundUserAccount,
    /// When the user was created.
    #[serde(serialize_with = "timestamp")]
    pub created_at: OffsetDateTime,
    /// When the user was last changed.
    #[serde(serialize_with = "timestamp")]
    pub updated_at: OffsetDateTime,
}

/// The tenant of a found user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FoundUserTenant {
    /// Id (UUIDv7).
    pub id: TenantId,
    /// Display name.
    #[schema(min_length = 1, max_length = 120, example = "Kopi Kenangan")]
    pub name: String,
    /// URL-safe name.
    #[schema(min_length = 2, max_length = 48, example = "kopi-kenangan")]
    pub slug: String,
    /// Current status.
    pub status: TenantStatus,
}

/// What the directory contains about a found user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FoundUserAccount {
    /// Id (UUIDv7), unique in the tenant.
    pub id: UserId,
    /// E-mail address, unique in the tenant regardless of case.
    #[schema(max_length = 254, example = "sari@kopikenangan.example")]
    pub email: String,
    /// Display name.
    #[schema(min_length = 1, max_length = 120, example = "Sari Wulandari")]
    pub full_name: String,
    /// Role in the tenant.
    pub role: UserRole,
    /// Whether the user may sign in.
    pub status: UserStatus,
}

/// The audit entry of a search that returned `rows` users. It does not contain the text of the search, which is usually a name or an
/// e-mail address, because the audit log keeps everything.
pub fn audit_entry<'a>(actor: Actor<'a>, filter: &UserSearchFilter, rows: usize) -> AuditEntry<'a> {
    AuditEntry::done(actor, AuditAction::UserSearch, None, json!({ "rows": rows, "filter": shown(filter) }))
}

fn shown(filter: &UserSearchFilter) -> Value {
    let fields = [
        ("search", Some(json!(true))),
        ("role", filter.role.as_ref().map(|roles| json!(roles.as_slice()))),
        ("status", filter.status.map(|status| json!(status))),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
}
