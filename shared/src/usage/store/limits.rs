//! The limits that tenants have reached.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::{GenericClient, Transaction};
use time::OffsetDateTime;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    error::Result,
    sql::{self, Columns},
    tenants::OnLimit,
    types::{Limits, Microservice, Month, TenantId},
    usage::{Figure, ObservedUsage, ReachedLimit},
};

/// A limit of a tenant.
pub(in crate::usage) type LimitKey = (TenantId, Figure);

struct StoredLimit {
    tenant_id: TenantId,
    figure: Figure,
    id: Uuid,
    reached_at: OffsetDateTime,
    acknowledged_by: Vec<String>,
}

sql::columns! {
    LimitColumns -> StoredLimit {
        tenant_id: "tenant_id",
        figure: "figure",
        id: "id",
        reached_at: "reached_at",
        acknowledged_by: "acknowledged_by",
    }
}

/// Records that limits are reached. Returns those that were not, or not under this setting, with their new ids: a service that has
/// confirmed that it notifies has not confirmed that it blocks.
pub(in crate::usage) async fn insert_reached(
    transaction: &Transaction<'_>,
    limits: &[(LimitKey, OnLimit)],
) -> Result<HashMap<LimitKey, Uuid>> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "INSERT INTO usage_limits_reached AS l (tenant_id, figure, on_limit)
             SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
             ON CONFLICT (tenant_id, figure) DO UPDATE
             SET on_limit = excluded.on_limit, id = excluded.id, acknowledged_by = '{}'
             WHERE l.on_limit <> excluded.on_limit
             RETURNING ",
            LimitColumns::LIST
        ))
        .await?;
    let (keys, on_limits): (Vec<LimitKey>, Vec<_>) = limits.iter().copied().unzip();
    let (ids, figures): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
    let rows = transaction.query(&statement, &[&ids, &figures, &on_limits]).await?;
    rows.iter().map(key_and_id).collect()
}

/// The ids of those of the limits that are reached.
pub(in crate::usage) async fn find_reached(
    transaction: &Transaction<'_>,
    limits: &[LimitKey],
) -> Result<HashMap<LimitKey, Uuid>> {
    const SELECT: &str = sql::text!(
        "SELECT ",
        LimitColumns::LIST,
        " FROM usage_limits_reached WHERE (tenant_id, figure) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))"
    );
    run(transaction, SELECT, limits).await
}

/// Records that limits are not reached. Returns those that were.
pub(in crate::usage) async fn delete_reached(
    transaction: &Transaction<'_>,
    limits: &[LimitKey],
) -> Result<HashSet<LimitKey>> {
    const DELETE: &str = sql::text!(
        "DELETE FROM usage_limits_reached
         WHERE (tenant_id, figure) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))
         RETURNING ",
        LimitColumns::LIST
    );
    Ok(run(transaction, DELETE, limits).await?.into_keys().collect())
}

async fn run(transaction: &Transaction<'_>, sql: &str, limits: &[LimitKey]) -> Result<HashMap<LimitKey, Uuid>> {
    let statement = transaction.prepare_cached(sql).await?;
    let (ids, figures): (Vec<_>, Vec<_>) = limits.iter().copied().unzip();
    let rows = transaction.query(&statement, &[&ids, &figures]).await?;
    rows.iter().map(key_and_id).collect()
}

fn key_and_id(row: &Row) -> Result<(LimitKey, Uuid)> {
    let limit = LimitColumns::read(row)?;
    Ok(((limit.tenant_id, limit.figure), limit.id))
}

/// The limits that tenants have reached, in the order of their figures.
pub async fn list_reached(
    client: &impl GenericClient,
    tenants: &[TenantId],
) -> Result<HashMap<TenantId, Vec<ReachedLimit>>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            LimitColumns::LIST,
            " FROM usage_limits_reached WHERE tenant_id = ANY($1) ORDER BY tenant_id, figure"
        ))
        .await?;
    let mut all: HashMap<TenantId, Vec<ReachedLimit>> = HashMap::new();
    for row in client.query(&statement, &[&tenants]).await? {
        let StoredLimit { tenant_id, figure, id, reached_at, acknowledged_by } = LimitColumns::read(&row)?;
        all.entry(tenant_id).or_default().push(ReachedLimit::new(id, figure, reached_at, acknowledged_by));
    }
    Ok(all)
}

/// Records that a service acts on a limit that a tenant has reached. Returns 1 if that is new and the limit is still reached, and 0
/// otherwise.
pub async fn acknowledge(
    client: &impl GenericClient,
    tenant_id: TenantId,
    limit_id: Uuid,
    service: Microservice,
) -> Result<u64> {
    let statement = client
        .prepare_cached(
            "UPDATE usage_limits_reached SET acknowledged_by = acknowledged_by || $3::text
             WHERE tenant_id = $1 AND id = $2 AND $3::text <> ALL (acknowledged_by)",
        )
        .await?;
    Ok(client.execute(&statement, &[&tenant_id, &limit_id, &service.as_str()]).await?)
}

/// The stored figures of a tenant in `month`, and its limits.
struct StoredUsage {
    agents: Option<i64>,
    contacts: Option<i64>,
    messages: Option<i64>,
    limits: Limits,
    on_limit: OnLimit,
}

sql::columns! {
    StoredColumns -> StoredUsage {
        agents: "u.agents",
        contacts: "u.contacts",
        // Messages of a past month do not count.
        messages: "CASE WHEN u.month < $2 THEN 0 ELSE greatest(u.messages_measured, u.messages_counted) END",
        limits: Limits {
            max_agents: "t.max_agents",
            max_contacts: "t.max_contacts",
            max_messages_month: "t.max_messages_month",
        },
        on_limit: "t.on_limit",
    }
}

/// The usage of a tenant as it is stored, locked until the transaction ends. `None` if no such tenant exists.
pub(in crate::usage) async fn find_usage(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    month: Month,
) -> Result<Option<ObservedUsage>> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "SELECT ",
            StoredColumns::LIST,
            " FROM tenant_usage u JOIN tenants t ON t.id = u.tenant_id WHERE u.tenant_id = $1 FOR UPDATE OF u"
        ))
        .await?;
    let Some(row) = transaction.query_opt(&statement, &[&tenant_id, &month.first_day()]).await? else {
        return Ok(None);
    };
    let StoredUsage { agents, contacts, messages, limits, on_limit } = StoredColumns::read(&row)?;
    let figures = [(Figure::Agents, agents), (Figure::Contacts, contacts), (Figure::MessagesMonth, messages)];
    let figures = figures.into_iter().filter_map(|(figure, value)| Some((figure, value?))).collect();
    Ok(Some(ObservedUsage { tenant_id, limits, on_limit, figures }))
}
