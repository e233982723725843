//! Impersonations: a super-admin acts as a user of a tenant, for a limited time and with a reason that the tenant can read.
//!
//! An impersonation has a row in the platform database and one in the tenant's own database. It is live from when both are
//! written ([`start`]) until it expires, a super-admin ends it ([`end`]), or another change ends it
//! ([`revocations`](crate::revocations)).

#[cfg(all(feature = "redis", feature = "sqs"))]
mod end;
pub mod events;
mod filter;
#[cfg(all(feature = "redis", feature = "sqs"))]
mod start;
pub mod store;
mod token;

#[cfg(all(feature = "redis", feature = "sqs"))]
pub use self::{
    end::{EndImpersonation, end},
    start::{ImpersonationContext, StartImpersonation, StartOutcome, StartedImpersonation, reissue_token, start},
};
pub use filter::ImpersonationFilter;
pub use token::{IMPERSONATION_TYPE, ImpersonationSigner};

use serde::Serialize;
use time::OffsetDateTime;

#[cfg(feature = "redis")]
use crate::revocations::live_list::LiveListEntry;
use crate::{
    revocations::EndReason,
    types::{
        Access, FaultCode, ImpersonationId, InvalidValue, TenantId, UserId, ValueErrors, optional_timestamp,
        single_line, timestamp,
    },
};

string_type! {
    /// The case in the platform's help desk: 1–100 characters after trimming, in one visible line.
    Ticket {
        parse: |text| single_line(text, 1, 100),
        schema: { format: "single-line", min_length: 1, max_length: 100, example: "HELP-4711" },
    }
}

/// The longest that an impersonation lasts: 1–60 minutes, 30 by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImpersonationMinutes(i32);

impl ImpersonationMinutes {
    pub const MAX: i32 = 60;

    /// Validates.
    pub fn new(minutes: i64) -> Result<Self, InvalidValue> {
        i32::try_from(minutes)
            .ok()
            .filter(|minutes| (1..=Self::MAX).contains(minutes))
            .map(Self)
            .ok_or_else(|| InvalidValue::new(FaultCode::OutOfRange, "must be an integer from 1 to 60"))
    }

    pub fn get(self) -> i32 {
        self.0
    }
}

impl<E: ValueErrors> deserr::Deserr<E> for ImpersonationMinutes {
    fn deserialize_from_value<V: deserr::IntoValue>(
        value: deserr::Value<V>,
        location: deserr::ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        let minutes = <i64 as deserr::Deserr<E>>::deserialize_from_value(value, location)?;
        Self::new(minutes).map_err(|error| E::invalid(error, location))
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

/// An impersonation. The fields about the user are as they were at its start.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Impersonation {
    /// Id (UUIDv7); the `sid` of its token.
    pub id: ImpersonationId,
    /// Whether its token is valid: the impersonation has begun and not ended, the tenant is active, and the super-admin is
    /// not disabled.
    pub live: bool,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The impersonated user.
    pub user_id: UserId,
    /// The user's e-mail address.
    #[cfg_attr(feature = "http", schema(example = "sari@kopikenangan.example"))]
    pub user_email: String,
    /// The super-admin who acts as the user: their id, or their subject at the identity provider.
    pub admin_id: String,
    /// The super-admin's e-mail address; `null` if unknown.
    #[cfg_attr(feature = "http", schema(required = true, example = "owner@landlord.example"))]
    pub admin_email: Option<String>,
    /// What the super-admin may do as the user.
    pub access: Access,
    /// Why the super-admin impersonates the user.
    #[cfg_attr(feature = "http", schema(example = "Looks at why the inbox of sari stays empty"))]
    pub reason: String,
    /// The case in the help desk.
    #[cfg_attr(feature = "http", schema(required = true, example = "HELP-4711"))]
    pub ticket: Option<String>,
    /// When it was requested.
    #[serde(serialize_with = "timestamp")]
    pub started_at: OffsetDateTime,
    /// When it ends by itself.
    #[serde(serialize_with = "timestamp")]
    pub expires_at: OffsetDateTime,
    /// When it was recorded in the tenant's own database; `null` if it never began, in which case no token was issued.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub recorded_at: Option<OffsetDateTime>,
    /// When it ended; `null` if it has not.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub ended_at: Option<OffsetDateTime>,
    /// The id of the super-admin who ended it, or `system`.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub ended_by: Option<String>,
    /// Why it is no longer live.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub end_reason: Option<EndReason>,
    /// The entity tag. It changes whenever a field does, also when time alone changes one.
    #[serde(skip)]
    pub revision: i64,
}

#[cfg(feature = "redis")]
impl From<&Impersonation> for LiveListEntry {
    fn from(impersonation: &Impersonation) -> Self {
        let Impersonation { id, tenant_id, user_id, access, expires_at, .. } = *impersonation;
        Self { id, tenant_id, user_id, access, expires_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impersonation_lasts_at_most_an_hour() {
        for bad in [0, -1, 61, i64::MAX] {
            assert!(ImpersonationMinutes::new(bad).is_err(), "{bad}");
        }
        assert_eq!(ImpersonationMinutes::new(60).unwrap().get(), 60);
    }
}
