//! Starting an impersonation. It is a change in the tenant's database ([`tenant_changes`]), with three commits:
//!
//! 1. [`begin`]: the impersonation and the intent in the platform database, with the response of an idempotent request;
//! 2. [`record_in_tenant`]: the record in the tenant's own database, with the marker; at the same time, services learn from the
//!    live list that they may accept the token;
//! 3. [`confirm`]: the outcome in the platform database, with its event. From here on the impersonation is live.
//!
//! Only then a token is signed. A start that is cut off before its record never becomes live; one that is cut off after it
//! becomes live when the relay settles it, and a repetition of the idempotent request gets the token. If the request itself
//! cannot find out whether the record was written, it ends the impersonation, so that the super-admin can start another.

mod command;
mod context;
mod reissue;
mod rules;

pub use command::StartImpersonation;
pub use context::ImpersonationContext;
pub use reissue::reissue_token;

use deadpool_postgres::Transaction;

use crate::{
    clients::{postgres::Connection, tenant_databases::TenantDatabases},
    error::{Conflict, Dependency, Error, Result},
    http::{self, IdempotentRequest, IdempotentResponse, JsonResponse, Replayable},
    impersonations::{
        Impersonation, ImpersonationSigner, Ticket,
        end::record_end,
        events::started,
        store::{self, start::NewImpersonation, tenant_record},
    },
    revocations::{
        EndReason,
        live_list::{Generation, LiveListEntry},
    },
    tenant_changes::{self, Change, ChangeResult, NewChange},
    tenants::{self, store::TenantLocation},
    types::{ImpersonationId, UserId},
    users::{self, User, UserStatus},
};

use self::command::{details, entry};

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
    change: Change,
    /// From before the intent was committed.
    generation: Generation,
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
    let Begun { impersonation, user, location, change, generation } = *begun;
    let result = result_of(&impersonation)?;
    // If only one of the two succeeds, no token is issued. A key in the live list without a token does no harm.
    let (recorded, added) = tokio::join!(
        record_in_tenant(context.databases, &location, &impersonation, &change, &result),
        context.live_list.add_one(&generation, LiveListEntry::from(&impersonation)),
    );
    if let Err(error) = recorded.and(added) {
        abandon(context, &impersonation, change, &error).await;
        return Err(error.into());
    }
    let impersonation = confirm(context, &impersonation, change, result).await?;
    context.dispatcher.poke_relay().await;
    let token = signer.sign(&impersonation)?;
    Ok(StartOutcome::Started(Box::new(StartedImpersonation { impersonation, user, token })))
}

/// Checks the rules and commits the intent.
async fn begin<R: JsonResponse>(
    context: ImpersonationContext<'_>,
    command: &StartImpersonation<'_>,
    request: &IdempotentRequest,
    respond: impl FnOnce(&Impersonation, &User) -> R,
) -> http::Result<Begin> {
    rules::check_role(command)?;
    // Fails without Redis, before anything is committed.
    let generation = context.live_list.generation().await?;
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
        IdempotentResponse::First((impersonation, change), _) => {
            Begin::New(Box::new(Begun { impersonation, user, location, change, generation }))
        }
        IdempotentResponse::Replayed(stored) => Begin::Replayed(stored),
    })
}

async fn record_intent(
    transaction: &Transaction<'_>,
    command: &StartImpersonation<'_>,
    user: &User,
) -> Result<(Impersonation, Change)> {
    rules::check_rights(transaction, command).await?;
    rules::check_tenant(transaction, command.tenant_id).await?;
    let quota = rules::check_rate_limit(transaction, command.actor.id).await?;
    rules::check_none_open(transaction, command).await?;
    let id = store::start::insert(transaction, &new_impersonation(command, user)).await?;
    quota.use_one();
    let impersonation = store::find(transaction, id).await?;
    let entry = entry(command.actor, &impersonation);
    let new = NewChange { impersonation_id: Some(id), ..NewChange::new(command.tenant_id, entry) };
    let change = tenant_changes::begin(transaction, &new).await?;
    Ok((impersonation, change))
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

/// What follows once the tenant's own record is written.
fn result_of(impersonation: &Impersonation) -> Result<ChangeResult> {
    let events = vec![started(impersonation)?];
    Ok(ChangeResult { details: details(impersonation), events, deactivated_user: None, response: None })
}

/// Writes the tenant's own record. Without it the tenant could not see the impersonation, so it must not begin.
async fn record_in_tenant(
    databases: &TenantDatabases,
    location: &TenantLocation,
    impersonation: &Impersonation,
    change: &Change,
    result: &ChangeResult,
) -> Result<()> {
    let (cluster, database) = location.require_active()?;
    let marker = change.marker(result)?;
    let insert = async {
        let tenant = databases.get(cluster, database).await?;
        change.commit_with(tenant_record::insert(&tenant, impersonation, &marker)).await
    };
    match databases.within(insert).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            change.is_rolled_back();
            Err(deactivated())
        }
        Err(error @ (Error::Unavailable { .. } | Error::DeadlineExceeded)) => Err(error),
        Err(error) => Err(Error::unavailable(Dependency::TenantDatabase, error)),
    }
}

/// Makes the impersonation live. [`Conflict::ImpersonationNotLive`] when another change has ended it in the meantime.
async fn confirm(
    context: ImpersonationContext<'_>,
    begun: &Impersonation,
    change: Change,
    result: ChangeResult,
) -> Result<Impersonation> {
    let id = begun.id;
    let mut platform = context.platform.get().await?;
    let consequences = match change.complete(&mut platform, result).await {
        Ok(consequences) => consequences,
        Err(error) => {
            end_unrecorded(&platform, id).await;
            return Err(error);
        }
    };
    let impersonation = store::find(&platform, id).await?;
    drop(platform);
    if let Some(end) = consequences.to_record {
        record_end(context, end).await;
    }
    if impersonation.live {
        return Ok(impersonation);
    }
    let state = "was ended before it began; use a new key to start another".to_owned();
    Err(Conflict::ImpersonationNotLive { impersonation_id: id, state }.into())
}

/// Writes that nothing was recorded. If that is unknown, ends the impersonation, and leaves the outcome to the relay.
async fn abandon(context: ImpersonationContext<'_>, impersonation: &Impersonation, change: Change, cause: &Error) {
    let reason = match cause {
        Error::Conflict(_) => EndReason::UserDeactivated,
        _ => EndReason::NotRecorded,
    };
    match context.platform.get().await {
        Ok(mut platform) => {
            if !change.fail(&mut platform, cause, Some(reason)).await {
                end_unrecorded(&platform, impersonation.id).await;
            }
        }
        Err(error) => {
            let error = error.chain();
            tracing::error!(impersonation.id = %impersonation.id, error, "abandoning a start failed; the relay will settle it");
        }
    }
}

/// Ends an impersonation whose start may still be settled, so that it does not become live. Best effort.
async fn end_unrecorded(platform: &Connection, id: ImpersonationId) {
    let end = tenant_changes::store::impersonation::end_unrecorded(platform, id, EndReason::NotRecorded);
    if let Err(error) = end.await {
        tracing::error!(impersonation.id = %id, error = error.chain(), "ending an impersonation that has not begun failed");
    }
}
