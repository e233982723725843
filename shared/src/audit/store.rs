//! SQL of the table `audit`.

use deadpool_postgres::GenericClient;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{
    audit::{AuditEntry, AuditFilter, AuditRecord},
    error::{Error, Result},
    sql::{self, Columns, Conditions},
    types::PageRequest,
};

sql::columns! {
    RecordColumns -> AuditRecord {
        id: "id",
        at: "at",
        actor: "actor",
        // A column of the joined super-admin.
        actor_email: "actor_email",
        action: "action",
        outcome: "outcome",
        intent_id: "intent_id",
        tenant_id: "tenant_id",
        request_id: "request_id",
        client_request_id: "client_request_id",
        source_address: "source_address",
        details: "details",
    }
}

/// Inserts an entry with the parameters [`values`].
pub(crate) const INSERT: &str = "INSERT INTO audit
         (id, actor, action, tenant_id, request_id, client_request_id, source_address, outcome, intent_id, details)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// The parameters of [`INSERT`].
pub(crate) fn values<'a>(id: &'a Uuid, entry: &'a AuditEntry<'_>) -> [&'a (dyn ToSql + Sync); 10] {
    [
        id,
        &entry.actor.id,
        &entry.action,
        &entry.tenant_id,
        &entry.actor.request_id,
        &entry.actor.client_request_id,
        &entry.actor.source_address,
        &entry.outcome,
        &entry.intent_id,
        &entry.details,
    ]
}

/// Inserts an entry and returns its id.
pub async fn insert(client: &impl GenericClient, entry: &AuditEntry<'_>) -> Result<Uuid> {
    let statement = client.prepare_cached(INSERT).await?;
    let id = Uuid::now_v7();
    client.execute(&statement, &values(&id, entry)).await?;
    Ok(id)
}

/// A page of entries. It has one more than the limit if another page follows.
pub async fn list(client: &impl GenericClient, filter: &AuditFilter, page: PageRequest) -> Result<Vec<AuditRecord>> {
    let limit = i64::try_from(page.limit.get() + 1).map_err(Error::internal)?;
    let mut conditions = Conditions::after(vec![&limit]);
    if let Some(tenant_id) = &filter.tenant_id {
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
    if let Some(outcome) = &filter.outcome {
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
    let order = conditions.page("at", "id", &page);
    // E-mail addresses are joined to the page only, not to the whole log. The ids are compared as text, because an actor
    // without an account here is no UUID.
    let statement = client
        .prepare_cached(&format!(
            "SELECT {}
             FROM (SELECT * FROM audit {} ORDER BY {order} LIMIT $1) page
             LEFT JOIN (SELECT id AS actor_id, email AS actor_email FROM super_admins) super_admin
                 ON super_admin.actor_id::text = page.actor
             ORDER BY {order}",
            RecordColumns::LIST,
            conditions.clause()
        ))
        .await?;
    conditions.query(client, &statement, RecordColumns::read).await
}
