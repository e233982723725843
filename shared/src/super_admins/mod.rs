//! Super-admins: the accounts that may use this API, how they sign in, and what each may do.

#[cfg(feature = "http")]
mod authorization;
#[cfg(feature = "http")]
mod caller;
#[cfg(all(feature = "http", feature = "passwords", feature = "password-strength", feature = "redis"))]
mod change_password;
#[cfg(feature = "http")]
mod context;
#[cfg(feature = "postgres")]
mod create;
#[cfg(all(feature = "postgres", feature = "passwords", feature = "password-strength"))]
mod create_first;
#[cfg(feature = "password-strength")]
mod new_password;
#[cfg(feature = "redis")]
mod rate_limit;
#[cfg(all(feature = "http", feature = "passwords", feature = "redis"))]
mod sign_in;
#[cfg(feature = "postgres")]
pub mod store;
#[cfg(all(feature = "http", feature = "passwords", feature = "password-strength"))]
mod update;

#[cfg(feature = "http")]
pub use authorization::{AnySuperAdmin, MayAdminister, MayOperate, MayRead, Principal};
#[cfg(feature = "http")]
pub use caller::Caller;
#[cfg(all(feature = "http", feature = "passwords", feature = "password-strength", feature = "redis"))]
pub use change_password::{ChangePassword, change_password};
#[cfg(feature = "http")]
pub use context::AuthContext;
#[cfg(feature = "postgres")]
pub use create::{CreateSuperAdmin, create};
#[cfg(all(feature = "postgres", feature = "passwords", feature = "password-strength"))]
pub use create_first::create_first;
#[cfg(feature = "password-strength")]
pub use new_password::check_new_password;
#[cfg(feature = "redis")]
pub use rate_limit::SignInRateLimiter;
#[cfg(all(feature = "http", feature = "passwords", feature = "redis"))]
pub use sign_in::{SignIn, sign_in};
#[cfg(all(feature = "http", feature = "passwords", feature = "password-strength"))]
pub use update::{UpdateSuperAdmin, UpdatedSuperAdmin, update};

use serde::Serialize;
use time::OffsetDateTime;

use crate::types::{InvalidValue, SuperAdminId, SuperAdminRole, timestamp};

keyword_enum!(
    /// Whether a super-admin may use the API.
    #[cfg_attr(feature = "http", schema(as = OperatorStatus))]
    SuperAdminStatus {
        /// The role decides what the super-admin may do.
        Active = "active",
        /// All tokens are refused immediately.
        Disabled = "disabled",
    }
);

/// Conditions of a list of super-admins.
#[derive(Debug, Clone, Copy, Default)]
pub struct SuperAdminFilter {
    pub role: Option<SuperAdminRole>,
    pub status: Option<SuperAdminStatus>,
}

/// A super-admin: an account that may use this API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = Operator))]
pub struct SuperAdmin {
    /// Id.
    pub id: SuperAdminId,
    /// E-mail address, unique regardless of case.
    #[cfg_attr(feature = "http", schema(format = Email, example = "ada@landlord.example"))]
    pub email: String,
    /// What the super-admin may do.
    pub role: SuperAdminRole,
    /// Whether the super-admin may use the API.
    pub status: SuperAdminStatus,
    /// Subject at the platform's identity provider; `null` for a super-admin who signs in with a password.
    #[cfg_attr(feature = "http", schema(required = true, example = json!(null)))]
    pub subject: Option<String>,
    /// Time of creation.
    #[serde(serialize_with = "timestamp")]
    pub created_at: OffsetDateTime,
    /// Time of the last change.
    #[serde(serialize_with = "timestamp")]
    pub updated_at: OffsetDateTime,
    /// Increases by one with every change.
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
