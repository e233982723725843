//! Super-admins: the accounts that may use this API, how they sign in, and what each may do.

#[cfg(feature = "http")]
mod authorization;
#[cfg(all(feature = "http", feature = "sqs"))]
mod context;
mod create;
mod create_first;
mod filter;
mod new_password;
mod recover;
#[cfg(all(feature = "http", feature = "redis"))]
mod sign_in;
pub mod store;
mod update;

#[cfg(feature = "http")]
pub use authorization::{
    AnySuperAdmin, AuthContext, Caller, MayAdminister, MayChangePassword, MayOperate, MayRead, Principal,
};
#[cfg(all(feature = "http", feature = "sqs"))]
pub use context::{IdempotentOperationContext, OperationContext};
pub use create::{CreateSuperAdmin, create};
pub use create_first::create_first;
pub use filter::SuperAdminFilter;
pub use new_password::check_new_password;
pub use recover::{RecoverOwner, RecoveredOwner, recover_owner};
#[cfg(all(feature = "http", feature = "redis"))]
pub use sign_in::{
    ChangePassword, RefreshSession, SignIn, SignInRateLimiter, change_password, refresh_session, sign_in,
};
pub use update::{UpdateSuperAdmin, UpdatedSuperAdmin, update};

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::types::{InvalidValue, SuperAdminId, SuperAdminRole, timestamp};

keyword_enum!(
    /// Whether a super-admin may use the API.
    #[cfg_attr(feature = "http", schema(as = OperatorStatus))]
    SuperAdminStatus {
        /// The super-admin may use the API, as far as the role allows.
        Active = "active",
        /// The super-admin may not use the API: every token is refused at once.
        Disabled = "disabled",
    }
);

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
    /// Whether the password was set by somebody else. Until the super-admin has replaced it, a session can do nothing else.
    #[cfg_attr(feature = "http", schema(example = false))]
    pub must_change_password: bool,
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

/// What the audit entry of a change contains: the values that a change can set, and the e-mail address.
fn audited(super_admin: &SuperAdmin) -> Value {
    json!({ "email": super_admin.email, "role": super_admin.role, "status": super_admin.status })
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
        Err(InvalidValue::format("must be 1 to 255 visible ASCII characters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_visible_ascii() {
        for good in ["a", "auth0|5f7c8ec7c33c6c004bbafe82", &"x".repeat(255)] {
            assert_eq!(parse_subject(good).unwrap(), good);
        }
        for bad in ["", "two words", "süß", "line\n", &"x".repeat(256)] {
            assert!(parse_subject(bad).is_err(), "{bad:?}");
        }
    }
}
