//! The audit entries of a change in a tenant's own database.
//!
//! Two databases cannot commit together. So the intent commits first in the platform database, then the change in the
//! tenant's, then the outcome in the platform's, with the messages that the change causes. A process that dies in between
//! leaves an intent without an outcome, which shows in the audit log where to look.

use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::{GenericClient, Transaction};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    audit::{self, AuditEntry, AuditOutcome},
    error::{Error, Result},
};

/// A change whose intent is in the audit log.
pub struct AuditedChange<'a> {
    entry: AuditEntry<'a>,
    intent_id: Uuid,
    committing: AtomicBool,
}

impl<'a> AuditedChange<'a> {
    /// Writes the intent. `client` must not be a transaction, because the intent must stay if the change fails.
    pub async fn begin(client: &impl GenericClient, entry: AuditEntry<'a>) -> Result<Self> {
        let entry = entry.intended();
        let intent_id = audit::store::insert(client, &entry).await?;
        Ok(Self { entry, intent_id, committing: AtomicBool::new(false) })
    }

    /// Continues a change that was cut off after its intent.
    pub fn resume(entry: AuditEntry<'a>, intent_id: Uuid) -> Self {
        Self { entry, intent_id, committing: AtomicBool::new(false) }
    }

    /// Commits the transaction in the tenant's database.
    pub async fn commit(&self, transaction: Transaction<'_>) -> Result<()> {
        self.committing.store(true, Ordering::Relaxed);
        Ok(transaction.commit().await?)
    }

    /// Writes that nothing was changed, and why. If the commit had been sent, its result is unknown, and no outcome is
    /// written.
    pub async fn fail(self, client: &impl GenericClient, cause: &Error) {
        if self.committing.load(Ordering::Relaxed) {
            tracing::error!(audit.intent_id = %self.intent_id, "the result of a commit in a tenant's database is unknown");
            return;
        }
        let mut details = self.entry.details.clone();
        details["error"] = json!(cause.to_string());
        let entry = AuditEntry { details, ..self.entry }.outcome_of(self.intent_id, AuditOutcome::Failed);
        if let Err(error) = audit::store::insert(client, &entry).await {
            tracing::error!(error = error.chain(), audit.intent_id = %self.intent_id, "writing an outcome to the audit log failed");
        }
    }

    /// Writes the outcome, in the transaction of the messages that the change causes.
    pub async fn complete(self, transaction: &Transaction<'_>, details: Value) -> Result<()> {
        let entry = AuditEntry { details, ..self.entry }.outcome_of(self.intent_id, AuditOutcome::Done);
        audit::store::insert(transaction, &entry).await?;
        Ok(())
    }
}
