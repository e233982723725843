//! The audit log: who did what to whom. It is only ever added to.
//!
//! What is done in this database alone has one entry, in the transaction of the change. What is done in another one has two:
//! the intent, which is committed before anything is done, and the outcome, which names it.

use deadpool_postgres::GenericClient;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    domain::{AuditOutcome, TenantId},
    error::Result,
};

/// Who does something, and by which request.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// A super-admin's id, their subject at the identity provider, or `system`.
    pub id: &'a str,
    /// The request that it is done by.
    pub request_id: Option<&'a str>,
    /// The address that the request came from.
    pub source_address: Option<&'a str>,
}

impl Actor<'static> {
    /// What no operator asked for at that moment.
    pub const SYSTEM: Self = Self { id: "system", request_id: None, source_address: None };
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

    /// The same as the outcome of an intent, by the id that its [`insert`] gave.
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

/// Writes an entry, and gives its id.
pub async fn insert(client: &impl GenericClient, entry: &AuditEntry<'_>) -> Result<Uuid> {
    let statement = client
        .prepare_cached(
            "INSERT INTO audit
                 (id, actor, action, organization_id, request_id, source_address, outcome, intent_id, details)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .await?;
    let id = Uuid::now_v7();
    client
        .execute(
            &statement,
            &[
                &id,
                &entry.actor.id,
                &entry.action,
                &entry.tenant_id.map(|id| id.0),
                &entry.actor.request_id,
                &entry.actor.source_address,
                &entry.outcome.as_str(),
                &entry.intent_id,
                &entry.details,
            ],
        )
        .await?;
    Ok(id)
}
