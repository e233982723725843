//! Impersonation: an operator acts in the name of an agent, for a while, and everyone can see it.

pub mod events;
pub mod store;
#[cfg(feature = "http")]
mod token;

use crate::{revocations::EndReason, types::single_line};
#[cfg(feature = "http")]
pub use token::{IMPERSONATION_TYPE, ImpersonationSigner};

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    types::{ImpersonationId, InvalidValue, TenantId, UserId},
    types::{optional_timestamp, timestamp},
};

keyword_enum!(
    /// What may be done in the agent's name.
    Access {
        /// Look.
        Read = "read",
        /// Look and change.
        Write = "write",
    }
);

impl Access {
    /// As the claim `scope` of a token (RFC 8693, section 4.2) says it.
    pub fn scope(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "read write",
        }
    }
}

string_type! {
    /// The reason for an impersonation: 10–500 characters after trimming, in one visible line. The tenant reads it.
    Reason {
        parse: |text| single_line(text, 10, 500),
        schema: {
            format: "single-line",
            min_length: 10,
            max_length: 500,
            example: "Looks at why the inbox of sari stays empty",
        },
    }
}

string_type! {
    /// The name of a case in the platform's help desk: 1–100 characters after trimming, in one visible line.
    Ticket {
        parse: |text| single_line(text, 1, 100),
        schema: { format: "single-line", min_length: 1, max_length: 100, example: "HELP-4711" },
    }
}

/// How long an impersonation lasts at the most: 1–60 minutes, 30 unless said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImpersonationMinutes(i32);

impl ImpersonationMinutes {
    /// The greatest.
    pub const MAX: i32 = 60;

    /// Validates.
    pub fn new(minutes: i64) -> Result<Self, InvalidValue> {
        i32::try_from(minutes)
            .ok()
            .filter(|minutes| (1..=Self::MAX).contains(minutes))
            .map(Self)
            .ok_or_else(|| InvalidValue::new("must be an integer from 1 to 60"))
    }

    /// The number.
    pub fn get(self) -> i32 {
        self.0
    }
}

#[cfg(feature = "http")]
impl<E: deserr::DeserializeError> deserr::Deserr<E> for ImpersonationMinutes {
    fn deserialize_from_value<V: deserr::IntoValue>(
        value: deserr::Value<V>,
        location: deserr::ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        let minutes = <i64 as deserr::Deserr<E>>::deserialize_from_value(value, location)?;
        Self::new(minutes).map_err(|error| crate::types::json_error::<E, V>(error, location))
    }
}

inline_schema!(
    ImpersonationMinutes,
    Integer { format: "int32", minimum: 1, maximum: Self::MAX, default: Self::default().get().into() }
);

impl Default for ImpersonationMinutes {
    fn default() -> Self {
        Self(30)
    }
}

/// An impersonation, as the API shows it. What is said of the user is as it was when it began.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Impersonation {
    /// Id (UUIDv7); the `sid` of its token.
    pub id: ImpersonationId,
    /// Whether its token is good: it began, it has not ended, the tenant is active and the operator is not disabled.
    pub live: bool,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The user in whose name is acted.
    pub user_id: UserId,
    /// The user's e-mail.
    #[cfg_attr(feature = "http", schema(example = "sari@kopikenangan.example"))]
    pub user_email: String,
    /// The operator: a super-admin's id, or the subject at the identity provider.
    pub admin_id: String,
    /// The operator's e-mail, where it is known.
    #[cfg_attr(feature = "http", schema(required = true, example = "owner@landlord.example"))]
    pub admin_email: Option<String>,
    /// What may be done.
    pub access: Access,
    /// Why.
    #[cfg_attr(feature = "http", schema(example = "Looks at why the inbox of sari stays empty"))]
    pub reason: String,
    /// The case in the help desk.
    #[cfg_attr(feature = "http", schema(required = true, example = "HELP-4711"))]
    pub ticket: Option<String>,
    /// When it was asked for.
    #[serde(serialize_with = "timestamp")]
    pub started_at: OffsetDateTime,
    /// When it ends by itself.
    #[serde(serialize_with = "timestamp")]
    pub expires_at: OffsetDateTime,
    /// When the tenant's own record of it was written; `null`: it never began, and no token was given.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub recorded_at: Option<OffsetDateTime>,
    /// When it ended.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub ended_at: Option<OffsetDateTime>,
    /// The operator who ended it, or `system`.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub ended_by: Option<String>,
    /// Why it is not live any more.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub end_reason: Option<EndReason>,
    /// Changes whenever what is shown does, by the clock too; the entity tag is made of it.
    #[serde(skip)]
    pub revision: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something_that_can_be_read() {
        for bad in
            ["", "because", "              ", "looks at\nthe inbox", "looks at \u{202E}xobni eht", &"x".repeat(501)]
        {
            assert!(Reason::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Reason::parse("  looks at the inbox ").unwrap().as_str(), "looks at the inbox");
        assert!(Reason::parse(&"é".repeat(500)).is_ok());
    }

    #[test]
    fn it_lasts_an_hour_at_the_most() {
        for bad in [0, -1, 61, i64::MAX] {
            assert!(ImpersonationMinutes::new(bad).is_err(), "{bad}");
        }
        assert_eq!(ImpersonationMinutes::new(60).unwrap().get(), 60);
    }
}
