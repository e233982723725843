//! The audit log: who did what. Entries are only ever added, and removed by whole months when they are old
//! ([`retention`](crate::retention)).
//!
//! A change in the platform database has one entry, in the transaction of the change. A change in another database has two:
//! the intent, committed before the change, and the outcome, which refers to the intent
//! ([`tenant_changes`](crate::tenant_changes)).

mod action;
mod filter;
pub mod store;

pub use action::AuditAction;
pub use filter::{ActorName, AuditFilter};

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::types::{Actor, TenantId, timestamp};

keyword_enum!(
    /// The outcome of an audited action.
    AuditOutcome {
        /// The action is about to start. Another entry records the outcome.
        Intended = "intended",
        /// The action succeeded.
        Done = "done",
        /// The action failed and changed nothing.
        Failed = "failed",
        /// The actor was not allowed to perform the action.
        Refused = "refused",
    }
);

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct AuditRecord {
    /// Id.
    pub id: Uuid,
    /// Time of the entry.
    #[serde(serialize_with = "timestamp")]
    pub at: OffsetDateTime,
    /// A super-admin's id, a subject at the identity provider, `anonymous`, or `system`.
    pub actor: String,
    /// The super-admin's e-mail address; `null` if the actor has no account here.
    #[cfg_attr(feature = "http", schema(required = true, example = "ada@landlord.example"))]
    pub actor_email: Option<String>,
    /// The action.
    // As text, because a newer version of another function may have written an action that this one does not know.
    #[cfg_attr(feature = "http", schema(value_type = AuditAction, example = "tenant.update"))]
    pub action: String,
    /// The outcome of the action.
    pub outcome: AuditOutcome,
    /// The id of the entry that recorded the intent, if this entry records its outcome.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub intent_id: Option<Uuid>,
    /// The tenant that the action concerns.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub tenant_id: Option<TenantId>,
    /// The `x-request-id` of the response to the request.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub request_id: Option<String>,
    /// The `x-request-id` that the client sent.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub client_request_id: Option<String>,
    /// The address that the request came from.
    #[cfg_attr(feature = "http", schema(required = true, example = "203.0.113.7"))]
    pub source_address: Option<String>,
    /// Details of the action, for a change the values before and after. Never contains a secret.
    #[cfg_attr(feature = "http", schema(value_type = Object, example = json!({"before": {"status": "active"}, "after": {"status": "suspended"}})))]
    pub details: Value,
}

/// An entry to write.
#[derive(Debug, Clone)]
pub struct AuditEntry<'a> {
    pub actor: Actor<'a>,
    /// The text of an [`AuditAction`].
    pub action: &'a str,
    pub tenant_id: Option<TenantId>,
    pub outcome: AuditOutcome,
    /// The id of the entry that recorded the intent, if this entry records its outcome.
    pub intent_id: Option<Uuid>,
    /// For a change the values before and after. Must not contain a secret.
    pub details: Value,
}

impl<'a> AuditEntry<'a> {
    /// For an action that succeeds if the transaction of the entry commits.
    pub fn done(actor: Actor<'a>, action: AuditAction, tenant_id: impl Into<Option<TenantId>>, details: Value) -> Self {
        let tenant_id = tenant_id.into();
        Self { actor, action: action.as_str(), tenant_id, outcome: AuditOutcome::Done, intent_id: None, details }
    }

    /// The outcome of an action whose intent is in the log. `action` is that of the intent.
    pub fn outcome_of(
        actor: Actor<'a>,
        action: &'a str,
        intent_id: Uuid,
        tenant_id: TenantId,
        outcome: AuditOutcome,
        details: Value,
    ) -> Self {
        Self { actor, action, tenant_id: Some(tenant_id), outcome, intent_id: Some(intent_id), details }
    }

    /// Turns the entry into an intent.
    #[must_use]
    pub fn intended(self) -> Self {
        Self { outcome: AuditOutcome::Intended, ..self }
    }

    /// Turns the entry into a refusal.
    #[must_use]
    pub fn refused(self) -> Self {
        Self { outcome: AuditOutcome::Refused, ..self }
    }
}
