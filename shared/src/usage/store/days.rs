//! The figures of each tenant by day.

use deadpool_postgres::{GenericClient, Transaction};
use time::Date;
use tokio_postgres::types::ToSql;

use crate::{
    error::Result,
    sql::{self, Columns},
    types::{Day, Month, TenantId},
    usage::{Measurement, UsageDay, store::RecordedFigures},
};

/// Records what was measured as the figures of its day. Those of stores that were not measured stay as they are. The caller has
/// updated the figures of the tenant, which are those that `recorded` contains.
pub async fn upsert_day(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    measurement: &Measurement,
    recorded: &RecordedFigures,
) -> Result<()> {
    let (users, collections) = (measurement.users.figures(), measurement.collections.figures());
    if users.is_none() && collections.is_none() {
        return Ok(());
    }
    let day = Day::of(measurement.at);
    // Of a measurement that began in the previous month, the messages of the new one are no figure of its day.
    let messages = collections.and(recorded.messages).filter(|_| recorded.month == Month::with(day.0));
    let statement = transaction
        .prepare_cached(
            "INSERT INTO usage_days AS d (tenant_id, day, agents, contacts, messages_month, storage_bytes, measured_at)
             SELECT $1, $2, $3, $4, $5, storage_bytes, $6 FROM tenant_usage WHERE tenant_id = $1
             ON CONFLICT (tenant_id, day) DO UPDATE
             SET agents = coalesce(excluded.agents, d.agents), contacts = coalesce(excluded.contacts, d.contacts),
                 messages_month = coalesce(excluded.messages_month, d.messages_month),
                 storage_bytes = coalesce(excluded.storage_bytes, d.storage_bytes), measured_at = excluded.measured_at",
        )
        .await?;
    let (agents, contacts) = (users.map(|users| users.active), collections.map(|collections| collections.contacts));
    let values: [&(dyn ToSql + Sync); 6] = [&tenant_id, &day.0, &agents, &contacts, &messages, &measurement.at];
    transaction.execute(&statement, &values).await?;
    Ok(())
}

sql::columns! {
    DayColumns -> UsageDay {
        day: "day" via |day: Date| Ok(Day(day)),
        agents: "agents",
        contacts: "contacts",
        messages_month: "messages_month",
        storage_bytes: "storage_bytes",
        measured_at: "measured_at",
    }
}

/// The figures of a tenant from the first to the last of these days, in their order. Days without a measurement are left out.
pub async fn list_days(
    client: &impl GenericClient,
    tenant_id: TenantId,
    first: Day,
    last: Day,
) -> Result<Vec<UsageDay>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            DayColumns::LIST,
            " FROM usage_days WHERE tenant_id = $1 AND day BETWEEN $2 AND $3 ORDER BY day"
        ))
        .await?;
    let rows = client.query(&statement, &[&tenant_id, &first.0, &last.0]).await?;
    rows.iter().map(DayColumns::read).collect()
}

/// Deletes up to `limit` rows of days before `day`, and returns their number.
pub async fn delete_days_before(client: &impl GenericClient, day: Day, limit: i64) -> Result<u64> {
    let statement = client
        .prepare_cached(
            "DELETE FROM usage_days
             WHERE (tenant_id, day) IN (SELECT tenant_id, day FROM usage_days WHERE day < $1 ORDER BY day LIMIT $2)",
        )
        .await?;
    Ok(client.execute(&statement, &[&day.0, &limit]).await?)
}
