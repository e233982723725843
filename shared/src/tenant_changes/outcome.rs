//! The last transaction of a change, in the platform database.

use serde_json::json;

use crate::{
    audit::{self, AuditEntry, AuditOutcome},
    clients::postgres::{Connection, Transaction},
    error::{Error, Result},
    events::{self, Event},
    idempotency::{
        self,
        store::{RequestKey, StoredResponse},
    },
    revocations::{self, EndReason, EndedImpersonation, ImpersonationEnd},
    tenant_changes::{ChangeResult, OpenChange, store},
    user_directory,
};

/// What the types of events about users begin with. Their data contain the user after the change.
const ABOUT_USERS: &str = "user.";

/// Whether a change was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Made(ChangeResult),
    /// It was not made and never will be.
    NotMade {
        error: String,
        /// For the impersonation that would have started.
        end_reason: Option<EndReason>,
    },
}

/// What is left to do after the consequences of a change are committed.
#[derive(Debug, Default)]
pub struct Consequences {
    /// Impersonations that have ended. To be passed to the live list.
    pub ended: Vec<EndedImpersonation>,
    /// An impersonation that was ended before it began, although the tenant's database has its record.
    pub to_record: Option<ImpersonationEnd>,
}

/// Writes the consequences and deletes the open change, in one transaction. Does nothing if the change is settled already.
pub(super) async fn write(platform: &mut Connection, change: &OpenChange, outcome: &Outcome) -> Result<Consequences> {
    let transaction = platform.transaction().await?;
    let mut consequences = Consequences::default();
    // From here on, concurrent settlements wait. The statement also locks the tenant, which orders its events.
    if !store::close(&transaction, change.id).await? {
        return Ok(consequences);
    }
    match outcome {
        Outcome::Made(result) => match change.impersonation_id {
            Some(id) if !store::impersonation::begin(&transaction, id).await? => {
                consequences.to_record = revocations::record_before_begin(&transaction, id).await?;
                let error = format!("Impersonation {id} was ended before it began");
                record_failure(&transaction, change, &error, None).await?;
            }
            _ => {
                consequences.ended = record_result(&transaction, change, result).await?;
                if let Some(user) = &change.erased_user {
                    // Last, so that it reaches what this transaction has written, too.
                    store::erasure::erase(&transaction, change.tenant_id, user).await?;
                }
            }
        },
        Outcome::NotMade { error, end_reason } => {
            let mut reason = None;
            if let Some(id) = change.impersonation_id {
                let because = *reason.insert(end_reason.unwrap_or(EndReason::NotRecorded));
                store::impersonation::end_unrecorded(&transaction, id, because).await?;
            }
            record_failure(&transaction, change, error, reason).await?;
            // A request that began before an erasure, and was refused after it, may have recorded the data again.
            if let Some(user_id) = change.details["user_id"].as_str() {
                store::erasure::repeat(&transaction, change.tenant_id, user_id).await?;
            }
        }
    }
    transaction.commit().await?;
    Ok(consequences)
}

async fn record_result(
    transaction: &Transaction<'_>,
    change: &OpenChange,
    result: &ChangeResult,
) -> Result<Vec<EndedImpersonation>> {
    let enqueue_events = async {
        for event in &result.events {
            let event = Event::of_recorded_type(&event.kind, change.tenant_id, &event.data);
            events::store::enqueue_event(transaction, &event).await?;
        }
        Ok::<_, Error>(())
    };
    let follow_user = async {
        match result.events.iter().rfind(|event| event.kind.starts_with(ABOUT_USERS)) {
            Some(event) => user_directory::store::follow(transaction, change.tenant_id, &event.data).await,
            None => Ok(()),
        }
    };
    let entry = outcome_of(change, AuditOutcome::Done, result.details.clone());
    // These need no results of each other, so their round trips overlap.
    tokio::try_join!(
        enqueue_events,
        follow_user,
        audit::store::insert(transaction, &entry),
        store_response(transaction, change, result)
    )?;
    match result.deactivated_user {
        Some(user_id) => revocations::end_of_user(transaction, change.tenant_id, user_id, change.actor()).await,
        None => Ok(Vec::new()),
    }
}

async fn store_response(transaction: &Transaction<'_>, change: &OpenChange, result: &ChangeResult) -> Result<()> {
    let (Some(request), Some(response)) = (&change.request, &result.response) else { return Ok(()) };
    let key = RequestKey { admin_id: &change.actor.id, route: &request.route, key: &request.key };
    let response = StoredResponse { fingerprint: request.fingerprint.clone(), ..response.clone() };
    idempotency::store::insert(transaction, key, &response).await
}

async fn record_failure(
    transaction: &Transaction<'_>,
    change: &OpenChange,
    error: &str,
    end_reason: Option<EndReason>,
) -> Result<()> {
    let mut details = change.details.clone();
    details["error"] = json!(error);
    if let Some(reason) = end_reason {
        details["end_reason"] = json!(reason);
    }
    audit::store::insert(transaction, &outcome_of(change, AuditOutcome::Failed, details)).await?;
    Ok(())
}

fn outcome_of(change: &OpenChange, outcome: AuditOutcome, details: serde_json::Value) -> AuditEntry<'_> {
    AuditEntry::outcome_of(change.actor(), &change.action, change.intent_id, change.tenant_id, outcome, details)
}
