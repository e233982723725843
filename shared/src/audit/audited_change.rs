//! Changes of a tenant's own database, as the platform's audit log tells them.
//!
//! Two databases cannot commit together. So the intent is committed first, then the change, then the outcome with all that
//! hangs on it. Whatever dies in between leaves an intent without an outcome: whoever reads the log knows where to look.

use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::{GenericClient, Transaction};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    audit::{self, AuditEntry, AuditOutcome},
    error::{Error, Result},
};

/// A change that is about to be made.
pub struct AuditedChange<'a> {
    entry: AuditEntry<'a>,
    intent_id: Uuid,
    committing: AtomicBool,
}

impl<'a> AuditedChange<'a> {
    /// Writes the intent; `client` is no transaction, so that it stands whatever comes of it.
    pub async fn intend(client: &impl GenericClient, entry: AuditEntry<'a>) -> Result<Self> {
        let entry = entry.intended();
        let intent_id = audit::store::insert(client, &entry).await?;
        Ok(Self { entry, intent_id, committing: AtomicBool::new(false) })
    }

    /// Takes up an intent that was cut off.
    pub fn resume(entry: AuditEntry<'a>, intent_id: Uuid) -> Self {
        Self { entry, intent_id, committing: AtomicBool::new(false) }
    }

    /// Commits the tenant's transaction.
    pub async fn commit(&self, transaction: Transaction<'_>) -> Result<()> {
        self.committing.store(true, Ordering::Relaxed);
        Ok(transaction.commit().await?)
    }

    /// Tells that nothing was changed, and why. Where the commit was on its way, nobody knows, and nothing is told.
    pub async fn fail(self, client: &impl GenericClient, why: &Error) {
        if self.committing.load(Ordering::Relaxed) {
            tracing::error!(audit.intent_id = %self.intent_id, "it is not known whether a change was made");
            return;
        }
        let mut details = self.entry.details.clone();
        details["error"] = json!(why.to_string());
        let entry = AuditEntry { details, ..self.entry }.outcome_of(self.intent_id, AuditOutcome::Failed);
        if let Err(error) = audit::store::insert(client, &entry).await {
            tracing::error!(error = error.chain(), audit.intent_id = %self.intent_id, "an outcome is not in the audit log");
        }
    }

    /// Tells what was changed, in the transaction of all that hangs on it.
    pub async fn complete(self, transaction: &Transaction<'_>, details: Value) -> Result<()> {
        let entry = AuditEntry { details, ..self.entry }.outcome_of(self.intent_id, AuditOutcome::Done);
        audit::store::insert(transaction, &entry).await?;
        Ok(())
    }
}
