//! Operators of the platform, the super-admins, and what each may do.

#[cfg(feature = "http")]
mod authorization;
#[cfg(feature = "http")]
mod caller;
#[cfg(feature = "http")]
mod context;
#[cfg(feature = "redis")]
mod rate_limit;
#[cfg(feature = "postgres")]
pub mod store;

#[cfg(feature = "http")]
pub use authorization::{AnySuperAdmin, MayAdminister, MayOperate, MayRead, Principal};
#[cfg(feature = "http")]
pub use caller::Caller;
#[cfg(feature = "http")]
pub use context::AuthContext;
#[cfg(feature = "redis")]
pub use rate_limit::SignInRateLimiter;

use serde::Serialize;
use time::OffsetDateTime;

use crate::types::{InvalidValue, SuperAdminId, SuperAdminRole, timestamp};

keyword_enum!(
    /// Whether an operator may do anything.
    #[cfg_attr(feature = "http", schema(as = OperatorStatus))]
    SuperAdminStatus {
        /// What the role says.
        Active = "active",
        /// Nothing: tokens are refused at once.
        Disabled = "disabled",
    }
);

/// An operator of the platform, a super-admin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = Operator))]
pub struct SuperAdmin {
    /// Id.
    pub id: SuperAdminId,
    /// E-mail address, unique without regard to case.
    #[cfg_attr(feature = "http", schema(format = Email, example = "ada@landlord.example"))]
    pub email: String,
    /// What they may do.
    pub role: SuperAdminRole,
    /// Whether they may do it.
    pub status: SuperAdminStatus,
    /// Who they are to the platform's identity provider; `null` for those who sign in here.
    #[cfg_attr(feature = "http", schema(required = true, example = json!(null)))]
    pub subject: Option<String>,
    /// When they were added.
    #[serde(serialize_with = "timestamp")]
    pub created_at: OffsetDateTime,
    /// When anything of this changed.
    #[serde(serialize_with = "timestamp")]
    pub updated_at: OffsetDateTime,
    /// Counts every change.
    #[serde(skip)]
    pub revision: i64,
}

string_type! {
    /// The subject of a super-admin at the platform's identity provider.
    ProviderSubject {
        parse: parse_subject,
        schema: { min_length: 1, max_length: 255, pattern: "^[!-~]+$" },
    }
}

fn parse_subject(text: &str) -> Result<String, InvalidValue> {
    if (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err(InvalidValue::new("must be 1 to 255 visible ASCII characters"))
    }
}
