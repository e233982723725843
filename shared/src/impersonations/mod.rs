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
    types::{Access, ImpersonationId, TenantId, UserId, optional_timestamp, single_line, timestamp},
};

string_type! {
    /// The case in the platform's help desk: 1–100 characters after trimming, in one visible line.
    Ticket {
        parse: |text| single_line(text, 1, 100),
        schema: { format: "single-line", min_length: 1, max_length: 100, example: "HELP-4711" },
    }
}

bounded_integer! {
    /// The longest that an impersonation lasts.
    pub ImpersonationMinutes: 1..=60, default 30
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
