//! SQL of the table `audit`.

use deadpool_postgres::GenericClient;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    audit::{AuditEntry, AuditFilter, AuditOutcome, AuditRecord},
    error::{Error, Result},
    sql::Conditions,
    types::{Cursor, PageLimit, TenantId},
};

/// Inserts an entry and returns its id.
pub async fn insert(client: &impl GenericClient, entry: &AuditEntry<'_>) -> Result<Uuid> {
    let statement = client
        .prepare_cached(
            "INSERT INTO audit
                 (id, actor, action, tenant_id, request_id, source_address, outcome, intent_id, details)
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

/// The latest intent of the last 24 hours that has no outcome, because its request was interrupted. `request` is the mark
/// that identifies the request, in the entry's details. Returns id and details.
pub async fn find_unfinished_intent(
    client: &impl GenericClient,
    actor: &str,
    action: &str,
    tenant_id: TenantId,
    request: &str,
) -> Result<Option<(Uuid, Value)>> {
    let statement = client
        .prepare_cached(
            "SELECT id, details
             FROM audit AS intent
             WHERE tenant_id = $1 AND actor = $2 AND action = $3 AND outcome = 'intended'
             AND at > now() - interval '24 hours'
             AND details ->> 'request' = $4
             AND NOT EXISTS (
                 SELECT FROM audit AS outcome
                 WHERE outcome.tenant_id = $1 AND outcome.at >= intent.at AND outcome.intent_id = intent.id
             )
             ORDER BY at DESC
             LIMIT 1",
        )
        .await?;
    let Some(row) = client.query_opt(&statement, &[&tenant_id.0, &actor, &action, &request]).await? else {
        return Ok(None);
    };
    Ok(Some((row.try_get(0)?, row.try_get(1)?)))
}

/// A page of entries after `cursor`, newest first. It has one more than `limit` if another page follows.
pub async fn list(
    client: &impl GenericClient,
    filter: &AuditFilter,
    cursor: Option<Cursor>,
    limit: PageLimit,
) -> Result<Vec<AuditRecord>> {
    let limit = i64::try_from(limit.get() + 1).map_err(Error::internal)?;
    let (tenant_id, outcome) = (filter.tenant_id.map(|id| id.0), filter.outcome.map(AuditOutcome::as_str));
    let mut conditions = Conditions::after(vec![&limit]);
    if let Some(tenant_id) = &tenant_id {
        let number = conditions.number(tenant_id);
        conditions.add(format!("tenant_id = ${number}"));
    }
    if let Some(actor) = &filter.actor {
        let number = conditions.number(actor);
        conditions.add(format!("actor = ${number}"));
    }
    if let Some(action) = &filter.action {
        let number = conditions.number(action);
        conditions.add(format!("action = ${number}"));
    }
    if let Some(outcome) = &outcome {
        let number = conditions.number(outcome);
        conditions.add(format!("outcome = ${number}"));
    }
    if let Some(since) = &filter.since {
        let number = conditions.number(since);
        conditions.add(format!("at >= ${number}"));
    }
    if let Some(until) = &filter.until {
        let number = conditions.number(until);
        conditions.add(format!("at < ${number}"));
    }
    if let Some(cursor) = &cursor {
        let (at, id) = (conditions.number(&cursor.created_at), conditions.number(&cursor.id));
        conditions.add(format!("(at, id) < (${at}, ${id})"));
    }
    // E-mail addresses are joined to the page only, not to the whole log. The ids are compared as text, because an actor
    // without an account here is no UUID.
    let statement = client
        .prepare_cached(&format!(
            "SELECT page.*, super_admin.email
             FROM (
                 SELECT id, at, actor, action, outcome, intent_id, tenant_id, request_id, source_address, details
                 FROM audit {} ORDER BY at DESC, id DESC LIMIT $1
             ) page
             LEFT JOIN super_admins super_admin ON super_admin.id::text = page.actor
             ORDER BY page.at DESC, page.id DESC",
            conditions.clause()
        ))
        .await?;
    conditions.query(client, &statement, read).await
}

fn read(row: &Row) -> Result<AuditRecord> {
    let outcome: &str = row.try_get(4)?;
    Ok(AuditRecord {
        id: row.try_get(0)?,
        at: row.try_get(1)?,
        actor: row.try_get(2)?,
        action: row.try_get(3)?,
        outcome: AuditOutcome::from_text(outcome)
            .ok_or_else(|| Error::internal(format!("unknown outcome `{outcome}` in the audit log")))?,
        intent_id: row.try_get(5)?,
        tenant_id: row.try_get::<_, Option<Uuid>>(6)?.map(TenantId),
        request_id: row.try_get(7)?,
        source_address: row.try_get(8)?,
        details: row.try_get(9)?,
        actor_email: row.try_get(10)?,
    })
}
