//! Starts of impersonations, in two transactions of the platform database with the tenant's own record between them:
//! [`begin`] writes down what is about to be done; [`confirm`], that it is done. A start that was cut off between the two is
//! seen as one that was never recorded: it is not live, and no token was given.

use deadpool_postgres::Transaction;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::impersonations::store::find;
use crate::{
    audit::{self, AuditEntry, AuditOutcome},
    error::{Error, Result},
    events,
    impersonations::{Access, Impersonation, ImpersonationMinutes},
    revocations::EndReason,
    tenants::{self, TenantStatus},
    types::{Actor, ImpersonationId, SuperAdminRole, TenantId, UserId},
};

/// The action of the audit log.
pub const START: &str = "impersonation.start";

/// How many one operator may start in a minute.
const MAX_STARTS_PER_MINUTE: i64 = 10;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct NewImpersonation<'a> {
    /// Who acts, and by which request.
    pub actor: Actor<'a>,
    /// The operator's e-mail, where it is known.
    pub admin_email: Option<&'a str>,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The agent in whose name is acted.
    pub user_id: UserId,
    /// The agent's e-mail.
    pub user_email: &'a str,
    /// What may be done.
    pub access: Access,
    /// Why.
    pub reason: &'a str,
    /// The case in the help desk.
    pub ticket: Option<&'a str>,
    /// How long it lasts.
    pub minutes: ImpersonationMinutes,
}

/// An impersonation that is written down, and not recorded by the tenant yet.
#[derive(Debug, Clone)]
pub struct Begun {
    /// What was written down.
    pub impersonation: Impersonation,
    /// The entry of the intent in the audit log.
    pub intent_id: Uuid,
}

/// Writes down that an impersonation is about to begin. At most ten may begin a minute by one operator
/// ([`Error::TooManyRequests`]) and one may be live by an operator in the name of an agent ([`Error::Conflict`]), exactly,
/// however many ask at once; nor may the tenant have left `active`, or the operator have been disabled, meanwhile.
pub async fn begin(transaction: &Transaction<'_>, new: &NewImpersonation<'_>) -> Result<Begun> {
    lock_operator(transaction, new).await?;
    let tenant = tenants::store::find_for_update(transaction, new.tenant_id).await?;
    if tenant.status != TenantStatus::Active {
        return Err(Error::Conflict(format!(
            "The tenant is {}; only an active one has users to act for",
            tenant.status
        )));
    }
    check_rate_limit(transaction, new.actor.id).await?;
    check_none_live(transaction, new).await?;
    let id = insert(transaction, new).await?;
    let impersonation = find(transaction, id).await?;
    let intent_id = audit::store::insert(transaction, &entry(new.actor, &impersonation).intended()).await?;
    Ok(Begun { impersonation, intent_id })
}

/// The tenant has recorded it: from the commit on it is live. [`Error::Conflict`] when it was ended meanwhile.
pub async fn confirm(transaction: &Transaction<'_>, begun: &Begun, actor: Actor<'_>) -> Result<Impersonation> {
    let (id, tenant_id) = (begun.impersonation.id, begun.impersonation.tenant_id);
    // Its events come in order with the tenant's own.
    tenants::store::find_for_update(transaction, tenant_id).await?;
    let statement = transaction
        .prepare_cached(
            "UPDATE impersonations
             SET recorded_at = greatest(clock_timestamp(), started_at), revision = revision + 1
             WHERE id = $1 AND recorded_at IS NULL AND ended_at IS NULL AND expires_at > now()",
        )
        .await?;
    if transaction.execute(&statement, &[&id.0]).await? == 0 {
        return Err(Error::Conflict(format!("The impersonation {id} was ended before it began")));
    }
    let impersonation = find(transaction, id).await?;
    events::store::enqueue_event(transaction, &crate::impersonations::events::started(&impersonation)).await?;
    let entry = entry(actor, &impersonation).outcome_of(begun.intent_id, AuditOutcome::Done);
    audit::store::insert(transaction, &entry).await?;
    Ok(impersonation)
}

/// It did not begin, and never will: `true`. `false` when it was confirmed after all, by a commit whose answer was lost.
/// `why` is for the audit log.
pub async fn abandon(
    transaction: &Transaction<'_>,
    begun: &Begun,
    reason: EndReason,
    actor: Actor<'_>,
    why: &str,
) -> Result<bool> {
    let id = begun.impersonation.id;
    let statement = transaction
        .prepare_cached(
            "UPDATE impersonations
             SET ended_at = greatest(clock_timestamp(), started_at), ended_by = 'system', end_reason = $2,
                 revision = revision + 1
             WHERE id = $1 AND recorded_at IS NULL AND ended_at IS NULL",
        )
        .await?;
    if transaction.execute(&statement, &[&id.0, &reason.as_str()]).await? == 0 {
        let now = find(transaction, id).await?;
        if now.recorded_at.is_some() {
            return Ok(false);
        }
    }
    let mut entry = entry(actor, &begun.impersonation).outcome_of(begun.intent_id, AuditOutcome::Failed);
    if let Value::Object(details) = &mut entry.details {
        details.insert("end_reason".to_owned(), json!(reason));
        details.insert("error".to_owned(), json!(why));
    }
    audit::store::insert(transaction, &entry).await?;
    Ok(true)
}

/// One start of an operator at a time, and none beside a change of what the operator may do.
async fn lock_operator(transaction: &Transaction<'_>, new: &NewImpersonation<'_>) -> Result<()> {
    let statement = transaction
        .prepare_cached("SELECT pg_advisory_xact_lock(hashtextextended('impersonations ' || $1, 0))")
        .await?;
    transaction.query_one(&statement, &[&new.actor.id]).await?;
    let statement = transaction
        .prepare_cached(
            "SELECT role, disabled_at IS NOT NULL FROM super_admins WHERE id::text = $1 OR subject = $1 FOR SHARE",
        )
        .await?;
    // The identity provider vouches for those whom nobody here has said anything about.
    let Some(row) = transaction.query_opt(&statement, &[&new.actor.id]).await? else { return Ok(()) };
    let role: SuperAdminRole = row.try_get::<_, &str>(0)?.parse().map_err(Error::internal)?;
    if row.try_get(1)? {
        return Err(Error::Unauthenticated("The operator is disabled"));
    }
    let needed = if new.access == Access::Write { SuperAdminRole::Owner } else { SuperAdminRole::Operator };
    if role.allows(needed) { Ok(()) } else { Err(Error::Forbidden("The operator has another role by now")) }
}

async fn check_rate_limit(transaction: &Transaction<'_>, admin_id: &str) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "SELECT ceil(extract(epoch FROM started_at + interval '1 minute' - statement_timestamp()))::bigint
             FROM impersonations
             WHERE admin_id = $1 AND started_at > statement_timestamp() - interval '1 minute'
             ORDER BY started_at DESC
             OFFSET $2 LIMIT 1",
        )
        .await?;
    let Some(row) = transaction.query_opt(&statement, &[&admin_id, &(MAX_STARTS_PER_MINUTE - 1)]).await? else {
        return Ok(());
    };
    let seconds: i64 = row.try_get(0)?;
    Err(Error::TooManyRequests { retry_after_seconds: u64::try_from(seconds).unwrap_or(0).max(1) })
}

/// Ends those before it that are over, and refuses it beside one that is not.
async fn check_none_live(transaction: &Transaction<'_>, new: &NewImpersonation<'_>) -> Result<()> {
    let key: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&new.actor.id, &new.tenant_id.0, &new.user_id.0];
    let statement = transaction
        .prepare_cached(
            // One that is not recorded long after any request has ended was cut off.
            "UPDATE impersonations
             SET ended_at = CASE WHEN recorded_at IS NULL THEN statement_timestamp() ELSE expires_at END,
                 end_reason = CASE WHEN recorded_at IS NULL THEN 'not_recorded' ELSE 'expired' END,
                 ended_by = 'system', revision = revision + 1
             WHERE admin_id = $1 AND tenant_id = $2 AND user_id = $3 AND ended_at IS NULL
             AND (expires_at <= statement_timestamp()
                  OR (recorded_at IS NULL AND started_at <= statement_timestamp() - interval '30 seconds'))",
        )
        .await?;
    transaction.execute(&statement, &key).await?;
    let statement = transaction
        .prepare_cached(
            "SELECT id FROM impersonations
             WHERE admin_id = $1 AND tenant_id = $2 AND user_id = $3 AND ended_at IS NULL",
        )
        .await?;
    let Some(row) = transaction.query_opt(&statement, &key).await? else { return Ok(()) };
    let id = ImpersonationId(row.try_get(0)?);
    Err(Error::Conflict(format!("The impersonation {id} of this user by this operator has not ended; end it first")))
}

async fn insert(transaction: &Transaction<'_>, new: &NewImpersonation<'_>) -> Result<ImpersonationId> {
    let statement = transaction
        .prepare_cached(
            // To the second, as the token says it.
            "INSERT INTO impersonations
                 (id, admin_id, admin_email, tenant_id, user_id, user_email, access, reason, ticket, request_id,
                  source_address, started_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, statement_timestamp(),
                     date_trunc('second', statement_timestamp() + make_interval(mins => $12)))",
        )
        .await?;
    let id = ImpersonationId::generate();
    transaction
        .execute(
            &statement,
            &[
                &id.0,
                &new.actor.id,
                &new.admin_email,
                &new.tenant_id.0,
                &new.user_id.0,
                &new.user_email,
                &new.access.as_str(),
                &new.reason,
                &new.ticket,
                &new.actor.request_id,
                &new.actor.source_address,
                &new.minutes.get(),
            ],
        )
        .await?;
    Ok(id)
}

fn entry<'a>(actor: Actor<'a>, impersonation: &Impersonation) -> AuditEntry<'a> {
    let details = json!({
        "impersonation_id": impersonation.id,
        "user_id": impersonation.user_id,
        "user_email": impersonation.user_email,
        "access": impersonation.access,
        "reason": impersonation.reason,
        "ticket": impersonation.ticket,
        "expires_at": impersonation.expires_at.unix_timestamp(),
    });
    AuditEntry::done(actor, START, impersonation.tenant_id, details)
}
