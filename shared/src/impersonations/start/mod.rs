//! Starting an impersonation. Two databases cannot commit together, so a start has three commits:
//!
//! 1. [`begin`]: the intent in the platform database, with the response of an idempotent request;
//! 2. [`record_in_tenant`]: the record in the tenant's own database;
//! 3. [`confirm`]: the outcome in the platform database, with its event. From here on the impersonation is live.
//!
//! Only then a token is signed. A start that is cut off in between is not live and has issued no token; its audit entry stays
//! an intent without an outcome. A start that fails in between is closed by [`abandon`].

mod command;
mod context;
mod reissue;
mod rules;

pub use command::StartImpersonation;
pub use context::ImpersonationContext;
pub use reissue::reissue_token;

use deadpool_postgres::Transaction;
use serde_json::json;
use uuid::Uuid;

use crate::{
    audit::{self, AuditOutcome},
    clients::tenant_databases::TenantDatabases,
    error::{Conflict, Dependency, Error, Result},
    events,
    http::{self, IdempotentRequest, IdempotentResponse, JsonResponse, Replayable},
    impersonations::{
        Impersonation, ImpersonationSigner, Ticket,
        events::started,
        store::{self, start::NewImpersonation, tenant_record},
    },
    revocations::{self, EndReason},
    tenants::{self, store::TenantLocation},
    types::{Actor, UserId},
    users::{self, User, UserStatus},
};

use self::command::entry;

/// The outcome of a start.
#[derive(Debug)]
pub enum StartOutcome {
    Started(Box<StartedImpersonation>),
    /// The same idempotent request was processed before; this is its response, without the token.
    Replayed(Replayable),
}

/// An impersonation that is live.
#[derive(Debug)]
pub struct StartedImpersonation {
    pub impersonation: Impersonation,
    pub user: User,
    pub token: String,
}

/// An impersonation whose intent is committed.
struct Begun {
    impersonation: Impersonation,
    user: User,
    location: TenantLocation,
    /// The audit entry of the intent.
    intent_id: Uuid,
}

enum Begin {
    New(Box<Begun>),
    /// The stored response of the same request.
    Replayed(Replayable),
}

/// Starts an impersonation and signs its token. `respond` builds the response that an idempotent request stores; the token
/// is not part of it, because a token is never stored. A refusal is written to the audit log.
pub async fn start<R: JsonResponse>(
    context: ImpersonationContext<'_>,
    signer: &ImpersonationSigner,
    command: &StartImpersonation<'_>,
    request: &IdempotentRequest,
    respond: impl FnOnce(&Impersonation, &User) -> R,
) -> http::Result<StartOutcome> {
    let begun = match begin(context, command, request, respond).await {
        Ok(Begin::New(begun)) => begun,
        Ok(Begin::Replayed(stored)) => return Ok(StartOutcome::Replayed(stored)),
        Err(problem) => {
            command.record_refusal(context.platform, &problem).await;
            return Err(problem);
        }
    };
    if let Err(error) = record_in_tenant(context.databases, &begun).await {
        let reason = match error {
            Error::Conflict(_) => EndReason::UserDeactivated,
            _ => EndReason::NotRecorded,
        };
        abandon(context, command.actor, &begun, reason, &error).await;
        return Err(error.into());
    }
    let impersonation = match confirm(context, command.actor, &begun).await {
        Ok(impersonation) => impersonation,
        Err(error) => {
            if abandon(context, command.actor, &begun, EndReason::NotRecorded, &error).await {
                end_tenant_record(context.databases, &begun).await;
            }
            return Err(error.into());
        }
    };
    context.dispatcher.poke_relay().await;
    let token = signer.sign(&impersonation)?;
    Ok(StartOutcome::Started(Box::new(StartedImpersonation { impersonation, user: begun.user, token })))
}

/// Checks the rules and commits the intent.
async fn begin<R: JsonResponse>(
    context: ImpersonationContext<'_>,
    command: &StartImpersonation<'_>,
    request: &IdempotentRequest,
    respond: impl FnOnce(&Impersonation, &User) -> R,
) -> http::Result<Begin> {
    rules::check_role(command)?;
    // A token must not be issued if it could not be denied.
    context.deny_list.ensure_writable().await?;
    let mut platform = context.platform.get().await?;
    if let Some(stored) = request.find(&platform).await? {
        return Ok(Begin::Replayed(stored));
    }
    let location = tenants::store::find_location(&platform, command.tenant_id).await?;
    let user = find_active_user(context.databases, &location, command.user_id).await?;
    let response = request
        .run(
            &mut platform,
            async |transaction| record_intent(transaction, command, &user).await,
            |(impersonation, _)| respond(impersonation, &user),
        )
        .await?;
    Ok(match response {
        IdempotentResponse::First((impersonation, intent_id), _) => {
            Begin::New(Box::new(Begun { impersonation, user, location, intent_id }))
        }
        IdempotentResponse::Replayed(stored) => Begin::Replayed(stored),
    })
}

/// Returns the impersonation, and the id of the audit entry of its intent.
async fn record_intent(
    transaction: &Transaction<'_>,
    command: &StartImpersonation<'_>,
    user: &User,
) -> Result<(Impersonation, Uuid)> {
    rules::check_rights(transaction, command).await?;
    rules::check_tenant(transaction, command.tenant_id).await?;
    rules::check_rate_limit(transaction, command.actor.id).await?;
    rules::check_none_open(transaction, command).await?;
    let id = store::start::insert(transaction, &new_impersonation(command, user)).await?;
    let impersonation = store::find(transaction, id).await?;
    let intent_id = audit::store::insert(transaction, &entry(command.actor, &impersonation).intended()).await?;
    Ok((impersonation, intent_id))
}

fn new_impersonation<'a>(command: &StartImpersonation<'a>, user: &'a User) -> NewImpersonation<'a> {
    NewImpersonation {
        actor: command.actor,
        admin_email: command.admin_email,
        tenant_id: command.tenant_id,
        user_id: user.id,
        user_email: &user.email,
        access: command.access,
        reason: command.reason.as_str(),
        ticket: command.ticket.map(Ticket::as_str),
        minutes: command.minutes,
    }
}

async fn find_active_user(databases: &TenantDatabases, location: &TenantLocation, id: UserId) -> Result<User> {
    let (cluster, database) = location.require_active()?;
    let find = async { users::store::find(&databases.get(cluster, database).await?, id).await };
    let user = databases.within(find).await?;
    match user.status {
        UserStatus::Active => Ok(user),
        UserStatus::Deactivated => Err(deactivated()),
    }
}

fn deactivated() -> Error {
    Conflict::UserDeactivated.into()
}

/// Writes the tenant's own record. Without it the tenant could not see the impersonation, so it must not begin.
async fn record_in_tenant(databases: &TenantDatabases, begun: &Begun) -> Result<()> {
    let (cluster, database) = begun.location.require_active()?;
    let insert = async { tenant_record::insert(&databases.get(cluster, database).await?, &begun.impersonation).await };
    match databases.within(insert).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(deactivated()),
        Err(error @ Error::Unavailable { .. }) => Err(error),
        Err(error) => Err(Error::unavailable(Dependency::TenantDatabase, error)),
    }
}

/// Makes the impersonation live. [`Conflict::ImpersonationNotLive`] when another change has ended it in the meantime.
async fn confirm(context: ImpersonationContext<'_>, actor: Actor<'_>, begun: &Begun) -> Result<Impersonation> {
    let Impersonation { id, tenant_id, .. } = begun.impersonation;
    let mut platform = context.platform.get().await?;
    let transaction = platform.transaction().await?;
    // The lock orders the event among those of the tenant.
    tenants::store::find_for_update(&transaction, tenant_id).await?;
    if !store::start::mark_recorded(&transaction, id).await? {
        return Err(Conflict::ImpersonationNotLive {
            impersonation_id: id,
            state: "was ended before it began".to_owned(),
        }
        .into());
    }
    let impersonation = store::find(&transaction, id).await?;
    events::store::enqueue_event(&transaction, &started(&impersonation)).await?;
    let entry = entry(actor, &impersonation).outcome_of(begun.intent_id, AuditOutcome::Done);
    audit::store::insert(&transaction, &entry).await?;
    transaction.commit().await?;
    Ok(impersonation)
}

/// Ends an impersonation that never became live, and writes the failure to the audit log. `false` when it is live after all,
/// because the response to a commit was lost, or when this failed as well; then the intent keeps no outcome.
async fn abandon(
    context: ImpersonationContext<'_>,
    actor: Actor<'_>,
    begun: &Begun,
    reason: EndReason,
    cause: &Error,
) -> bool {
    let id = begun.impersonation.id;
    let work = async {
        let mut platform = context.platform.get().await?;
        let transaction = platform.transaction().await?;
        if !store::start::end_unrecorded(&transaction, id, reason).await?
            && store::find(&transaction, id).await?.recorded_at.is_some()
        {
            return Ok(false);
        }
        let mut entry = entry(actor, &begun.impersonation).outcome_of(begun.intent_id, AuditOutcome::Failed);
        entry.details["end_reason"] = json!(reason);
        entry.details["error"] = json!(cause.to_string());
        audit::store::insert(&transaction, &entry).await?;
        transaction.commit().await?;
        Ok::<_, Error>(true)
    };
    work.await.unwrap_or_else(|failure| {
        tracing::error!(impersonation.id = %id, error = failure.chain(), "abandoning a start failed");
        false
    })
}

/// Records the end of an abandoned impersonation in the tenant's database. Best effort, because the record has the time of
/// expiry as well.
async fn end_tenant_record(databases: &TenantDatabases, begun: &Begun) {
    let Impersonation { id, started_at, .. } = begun.impersonation;
    let end = async {
        let (cluster, database) = begun.location.require_active()?;
        let tenant = databases.get(cluster, database).await?;
        revocations::store::tenant_record::end_one(&tenant, id, started_at).await
    };
    if let Err(error) = databases.within(end).await {
        let error = error.chain();
        tracing::warn!(impersonation.id = %id, error, "recording an end in the tenant's database failed");
    }
}
