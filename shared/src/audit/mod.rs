//! The audit log's own words.

#[cfg(feature = "postgres")]
mod audited_change;
#[cfg(feature = "postgres")]
pub mod store;

#[cfg(feature = "postgres")]
pub use audited_change::AuditedChange;

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::types::{Actor, InvalidValue, TenantId, timestamp};

keyword_enum!(
    /// How far something got that is in the audit log.
    AuditOutcome {
        /// It is about to be done; another entry tells whether it was.
        Intended = "intended",
        /// It was done.
        Done = "done",
        /// It was tried, and was not done.
        Failed = "failed",
        /// Whoever wanted it may not.
        Refused = "refused",
    }
);

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct AuditRecord {
    /// Id.
    pub id: Uuid,
    /// When.
    #[serde(serialize_with = "timestamp")]
    pub at: OffsetDateTime,
    /// Who: an operator's id, their subject at the identity provider, `anonymous` or `system`.
    pub actor: String,
    /// The operator's e-mail address, where they are known here.
    #[cfg_attr(feature = "http", schema(required = true, example = "ada@landlord.example"))]
    pub actor_email: Option<String>,
    /// What.
    #[cfg_attr(feature = "http", schema(example = "tenant.update"))]
    pub action: String,
    /// How far it got.
    pub outcome: AuditOutcome,
    /// The entry of the intent that this is the outcome of.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub intent_id: Option<Uuid>,
    /// Which tenant.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub tenant_id: Option<TenantId>,
    /// The request that it was done by: its `x-request-id`.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub request_id: Option<String>,
    /// The address that the request came from.
    #[cfg_attr(feature = "http", schema(required = true, example = "203.0.113.7"))]
    pub source_address: Option<String>,
    /// What changed, before and after; never a secret.
    #[cfg_attr(feature = "http", schema(value_type = Object, example = json!({"before": {"status": "active"}, "after": {"status": "suspended"}})))]
    pub details: Value,
}

/// Part of an action, an actor: 1 to 255 visible characters.
pub fn parse_audit_name(text: &str) -> Result<String, InvalidValue> {
    if text.chars().count() <= 255 && text.chars().all(|character| !character.is_control() && character != ' ') {
        Ok(text.to_owned())
    } else {
        Err(InvalidValue::new("must be 1 to 255 visible characters"))
    }
}

/// One entry.
#[derive(Debug, Clone)]
pub struct AuditEntry<'a> {
    /// Who.
    pub actor: Actor<'a>,
    /// What: `tenant.create`, `tenant.update`, ….
    pub action: &'a str,
    /// Which tenant.
    pub tenant_id: Option<TenantId>,
    /// How far it got.
    pub outcome: AuditOutcome,
    /// The entry of the intent that this is the outcome of.
    pub intent_id: Option<Uuid>,
    /// What changed, before and after; never a secret.
    pub details: Value,
}

impl<'a> AuditEntry<'a> {
    /// Something that is done in the transaction of the entry.
    pub fn done(actor: Actor<'a>, action: &'a str, tenant_id: impl Into<Option<TenantId>>, details: Value) -> Self {
        let tenant_id = tenant_id.into();
        Self { actor, action, tenant_id, outcome: AuditOutcome::Done, intent_id: None, details }
    }

    /// The same as an intent.
    #[must_use]
    pub fn intended(self) -> Self {
        Self { outcome: AuditOutcome::Intended, ..self }
    }

    /// The same as the outcome of an intent, by the id of its entry.
    #[must_use]
    pub fn outcome_of(self, intent_id: Uuid, outcome: AuditOutcome) -> Self {
        Self { intent_id: Some(intent_id), outcome, ..self }
    }

    /// The same as something that was refused.
    #[must_use]
    pub fn refused(self) -> Self {
        Self { outcome: AuditOutcome::Refused, ..self }
    }
}
