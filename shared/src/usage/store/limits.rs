//! The limits that tenants have reached.

use std::collections::HashSet;

use deadpool_postgres::Transaction;

use crate::{
    error::Result,
    sql::{self, Columns},
    tenants::OnLimit,
    types::{Limits, Month, TenantId},
    usage::{Figure, ObservedUsage},
};

/// A limit of a tenant.
pub(in crate::usage) type LimitKey = (TenantId, Figure);

struct ReachedLimit {
    tenant_id: TenantId,
    figure: Figure,
}

sql::columns! {
    ReachedColumns -> ReachedLimit {
        tenant_id: "tenant_id",
        figure: "figure",
    }
}

/// Records that limits are reached. Returns those that were not.
pub(in crate::usage) async fn insert_reached(
    transaction: &Transaction<'_>,
    limits: &[LimitKey],
) -> Result<HashSet<LimitKey>> {
    const INSERT: &str = sql::text!(
        "INSERT INTO usage_limits_reached (tenant_id, figure)
         SELECT * FROM unnest($1::uuid[], $2::text[])
         ON CONFLICT DO NOTHING
         RETURNING ",
        ReachedColumns::LIST
    );
    run(transaction, INSERT, limits).await
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
        ReachedColumns::LIST
    );
    run(transaction, DELETE, limits).await
}

async fn run(transaction: &Transaction<'_>, sql: &str, limits: &[LimitKey]) -> Result<HashSet<LimitKey>> {
    let statement = transaction.prepare_cached(sql).await?;
    let (ids, figures): (Vec<_>, Vec<_>) = limits.iter().copied().unzip();
    let rows = transaction.query(&statement, &[&ids, &figures]).await?;
    let key = |row| ReachedColumns::read(row).map(|ReachedLimit { tenant_id, figure }| (tenant_id, figure));
    rows.iter().map(key).collect()
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
