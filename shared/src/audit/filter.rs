//! The filters of the audit log.

use time::OffsetDateTime;

use crate::{
    audit::{AuditAction, AuditOutcome},
    types::{InvalidValue, TenantId},
};

string_type! {
    /// The name of an actor.
    ActorName {
        parse: parse_actor_name,
        schema: { max_length: 255, pattern: r"^[^\x00-\x20\x7f-\x9f]*$" },
    }
}

/// Validates the name of an actor: at most 255 visible characters.
fn parse_actor_name(text: &str) -> Result<String, InvalidValue> {
    if text.chars().count() <= 255 && text.chars().all(|character| !character.is_control() && character != ' ') {
        Ok(text.to_owned())
    } else {
        Err(InvalidValue::format("must be 1 to 255 visible characters"))
    }
}

query_parameters! {
    #![cfg(feature = "http")]
    /// The filters of a list of entries.
    #[derive(Debug, Clone, Default)]
    pub struct AuditFilter {
        /// Only entries of this tenant
        pub tenant_id: Option<TenantId>,
        /// Only entries of this actor: a super-admin's id, or a subject at the identity provider
        pub actor: Option<ActorName>,
        /// Only this action
        #[example = "tenant.update"]
        pub action: Option<AuditAction>,
        /// Only this outcome
        pub outcome: Option<AuditOutcome>,
        /// Only entries at or after this time, RFC 3339
        pub since: Option<OffsetDateTime>,
        /// Only entries before this time, RFC 3339
        pub until: Option<OffsetDateTime>,
    }
}

#[cfg(feature = "http")]
impl crate::http::ListParameters for AuditFilter {
    const LIST: &str = "audit";
    const TIME: &str = "at";
}
