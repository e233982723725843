//! A change as its own request sees it.

use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::{GenericClient, Transaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    audit::AuditEntry,
    clients::{
        postgres::{Connection, Postgres, SqlState, sql_state},
        tenant_databases::TenantDatabases,
    },
    error::{Error, Result},
    idempotency::RequestIdentity,
    revocations::{EndReason, EndedImpersonation},
    telemetry::trace,
    tenant_changes::{
        ActorOfChange, ChangeResult, Consequences, ErasedUser, OpenChange, Outcome, outcome, settle,
        store::{self, marker::Marker},
    },
    tenants::store::TenantLocation,
    types::{ImpersonationId, TenantId},
};

/// A change that is about to begin.
#[derive(Debug)]
pub struct NewChange<'a> {
    /// The entry of the intent. Its action is the kind of the change.
    pub intent: AuditEntry<'a>,
    pub tenant_id: TenantId,
    /// The impersonation that starts with the change.
    pub impersonation_id: Option<ImpersonationId>,
    pub request: Option<&'a RequestIdentity>,
    pub erased_user: Option<&'a ErasedUser>,
}

impl<'a> NewChange<'a> {
    /// A change with the details and the actor of an audit entry.
    pub fn new(tenant_id: TenantId, entry: AuditEntry<'a>) -> Self {
        Self { intent: entry.intended(), tenant_id, impersonation_id: None, request: None, erased_user: None }
    }
}

/// A change that its request makes now.
#[derive(Debug)]
pub struct Change {
    open: OpenChange,
    /// The tenant's other open changes, whose markers must stay.
    others: Vec<Uuid>,
    /// Whether the tenant's database may have committed the change.
    committing: AtomicBool,
}

/// Writes the intent and the open change, in one statement. They must be committed before the change, because they must stay
/// if the change fails.
pub async fn begin(client: &impl GenericClient, new: &NewChange<'_>) -> Result<Change> {
    let (id, intent_id) = (Uuid::now_v7(), Uuid::now_v7());
    let (begun_at, others): (OffsetDateTime, Vec<Uuid>) = store::insert(client, id, intent_id, new).await?;
    let actor = new.intent.actor;
    let open = OpenChange {
        id,
        tenant_id: new.tenant_id,
        action: new.intent.action.to_owned(),
        intent_id,
        details: new.intent.details.clone(),
        begun_at,
        impersonation_id: new.impersonation_id,
        request: new.request.cloned(),
        erased_user: new.erased_user.cloned(),
        actor: ActorOfChange {
            id: actor.id.to_owned(),
            request_id: actor.request_id.map(str::to_owned),
            client_request_id: actor.client_request_id.map(str::to_owned),
            source_address: actor.source_address.map(str::to_owned),
        },
        trace_id: trace::current_or_new(),
    };
    Ok(Change { open, others, committing: AtomicBool::new(false) })
}

impl Change {
    /// Inserts the marker and commits the transaction in the tenant's database. [`Error::DeadlineExceeded`] if the change was
    /// settled in the meantime, because it took too long.
    pub async fn commit(&self, transaction: Transaction<'_>, result: &ChangeResult) -> Result<()> {
        store::marker::insert(&transaction, &self.marker(result)?).await?;
        self.committing.store(true, Ordering::Relaxed);
        Ok(transaction.commit().await?)
    }

    /// Runs a single statement that makes the change, inserts the marker and commits by itself.
    pub async fn commit_with<T>(&self, statement: impl Future<Output = Result<T>>) -> Result<T> {
        self.committing.store(true, Ordering::Relaxed);
        let result = statement.await;
        if result.as_ref().is_err_and(is_refusal) {
            self.is_rolled_back();
        }
        result
    }

    /// Notes that the statement of [`Self::commit_with`] has changed nothing and inserted no marker.
    pub fn is_rolled_back(&self) {
        self.committing.store(false, Ordering::Relaxed);
    }

    /// The marker of the change.
    pub fn marker(&self, result: &ChangeResult) -> Result<Marker<'_>> {
        let result = serde_json::to_value(result).map_err(Error::internal)?;
        Ok(Marker { id: self.open.id, result, begun_at: self.open.begun_at, kept: &self.others })
    }

    /// Writes the consequences after the tenant's database has committed the change. If this fails, the relay does it later.
    pub async fn complete(self, platform: &mut Connection, result: ChangeResult) -> Result<Consequences> {
        outcome::write(platform, &self.open, &Outcome::Made(result)).await
    }

    /// As [`Self::complete`], for a change of a user: writes the consequences of the user's earlier changes before.
    pub async fn complete_in_order(
        self,
        platform: &mut Connection,
        databases: &TenantDatabases,
        location: &TenantLocation,
        result: ChangeResult,
    ) -> Result<Vec<EndedImpersonation>> {
        let mut ended = Vec::new();
        if let Some((user_id, revision)) = result.user_revision() {
            let open = store::list_of_user(platform, self.open.tenant_id, user_id).await?;
            for (earlier, result) in settle::made_before(databases, location, open, revision).await? {
                ended.extend(outcome::write(platform, &earlier, &Outcome::Made(result)).await?.ended);
            }
        }
        ended.extend(self.complete(platform, result).await?.ended);
        Ok(ended)
    }

    /// As [`Self::complete`], for an erasure: settles the other open changes of the user before. Returns the impersonations that
    /// have ended.
    pub async fn complete_erasure(
        self,
        platform: &Postgres,
        databases: &TenantDatabases,
        location: &TenantLocation,
        result: ChangeResult,
    ) -> Result<Vec<EndedImpersonation>> {
        settle::write_made(platform, databases, location, &self.open, result).await
    }

    /// Writes that nothing was changed, and why. Returns `false` without writing if the tenant's database may have committed
    /// the change; then the relay settles it.
    pub async fn fail(self, platform: &mut Connection, cause: &Error, end_reason: Option<EndReason>) -> bool {
        let change = &self.open;
        if self.committing.load(Ordering::Relaxed) {
            tracing::error!(change.id = %change.id, "the result of a commit is unknown; the relay will settle the change");
            return false;
        }
        let outcome = Outcome::NotMade { error: cause.to_string(), end_reason };
        if let Err(error) = outcome::write(platform, change, &outcome).await {
            let error = error.chain();
            tracing::error!(change.id = %change.id, error, "writing an outcome failed; the relay will settle the change");
        }
        true
    }
}

/// Whether the server has rolled the statement back. After other errors its result is unknown.
fn is_refusal(error: &Error) -> bool {
    match sql_state(error) {
        // The session may have been terminated after the commit.
        Some(code) => *code != SqlState::ADMIN_SHUTDOWN && *code != SqlState::CRASH_SHUTDOWN,
        // The marker of the change is void.
        None => matches!(error, Error::DeadlineExceeded),
    }
}
