//! Lists tenants with their usage, a page at a time.

use deadpool_postgres::GenericClient;
use time::Date;
use tokio_postgres::Row;

use crate::{
    error::{Error, Result},
    sql::{self, COUNTED_ROWS, Columns, Conditions},
    tenants::{Tenant, store::TenantColumns},
    types::{Count, Cursor, Month, PageLimit, PageRequest, TenantId, ValueCursor},
    usage::{Figure, MeasurementError, UsageFilter, UsageRecord, UsageSort},
};

/// The order of a list, and the tenant after which a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageOrder {
    /// The newest tenant first.
    Newest {
        /// Where the previous page ended.
        after: Option<Cursor>,
    },
    /// By a stored figure, tenants without it last. The id breaks ties.
    Figure {
        sort: UsageSort,
        /// Where the previous page ended: the [`UsageRow::position`] of its last row.
        after: Option<ValueCursor>,
    },
}

/// A tenant and its stored figures.
#[derive(Debug, Clone)]
pub struct UsageRow {
    pub tenant: Tenant,
    pub record: UsageRecord,
    /// The value of the figure that the list is sorted by.
    pub position: Option<i64>,
}

/// The condition that a tenant exceeds a limit, or does not. The parameter `month` is the current month.
fn over_limit(month: usize, wanted: bool) -> String {
    let condition = format!(
        "(agents > max_agents OR contacts > max_contacts OR (month >= ${month} AND \
         greatest(messages_measured, messages_counted) > max_messages_month))"
    );
    if wanted { condition } else { format!("{condition} IS NOT TRUE") }
}

/// Returns a page of tenants with their usage, and one more row when the list continues. `month` is the current one.
pub async fn list(
    client: &impl GenericClient,
    filter: &UsageFilter,
    month: Month,
    order: UsageOrder,
    limit: PageLimit,
) -> Result<Vec<UsageRow>> {
    let limit = limit.get() + 1;
    match order {
        UsageOrder::Newest { after } => {
            let page = PageRequest { cursor: after, ..PageRequest::default() };
            list_part(client, filter, month, UsageListPart::Newest(page), limit).await
        }
        // One index serves both: the tenants with the figure, in either direction, and then those without it.
        UsageOrder::Figure { sort, after } => {
            let mut rows = Vec::new();
            let mut after_missing = None;
            match after {
                Some(ValueCursor { value: None, id }) => after_missing = Some(id),
                Some(ValueCursor { value: Some(value), id }) => {
                    rows =
                        list_part(client, filter, month, UsageListPart::Known(sort, Some((value, id))), limit).await?;
                }
                None => rows = list_part(client, filter, month, UsageListPart::Known(sort, None), limit).await?,
            }
            if rows.len() < limit {
                let missing = UsageListPart::Missing(sort.figure, after_missing);
                rows.extend(list_part(client, filter, month, missing, limit - rows.len()).await?);
            }
            Ok(rows)
        }
    }
}

/// The number of tenants. `month` is the current one.
pub async fn count(client: &impl GenericClient, filter: &UsageFilter, month: Month) -> Result<Count> {
    let (values, month) = (filter.tenants.values(), month.first_day());
    let mut conditions = Conditions::after(vec![&COUNTED_ROWS]);
    values.narrow(&mut conditions);
    let Some(over) = filter.over_limit else { return conditions.count(client, "tenants").await };
    let condition = over_limit(conditions.number(&month), over);
    conditions.add(condition);
    conditions.count(client, "tenants JOIN tenant_usage ON tenant_id = id").await
}

/// A part of a list that one index scan returns.
enum UsageListPart {
    Newest(PageRequest),
    Known(UsageSort, Option<(i64, uuid::Uuid)>),
    Missing(Figure, Option<uuid::Uuid>),
}

async fn list_part(
    client: &impl GenericClient,
    filter: &UsageFilter,
    month: Month,
    part: UsageListPart,
    limit: usize,
) -> Result<Vec<UsageRow>> {
    let (values, month) = (filter.tenants.values(), month.first_day());
    let limit = i64::try_from(limit).map_err(Error::internal)?;
    let mut conditions = Conditions::after(vec![&limit]);
    let alternatives = match &part {
        UsageListPart::Newest(_) => values.narrow_by_time(&mut conditions),
        UsageListPart::Known(..) | UsageListPart::Missing(..) => {
            values.narrow(&mut conditions);
            None
        }
    };
    if let Some(over) = filter.over_limit {
        let condition = over_limit(conditions.number(&month), over);
        conditions.add(condition);
    }
    let (position, order) = match &part {
        UsageListPart::Newest(page) => ("NULL::bigint", conditions.page("created_at", "id", page)),
        UsageListPart::Known(sort, after) => {
            let (column, descending) = (column(sort.figure), sort.descending);
            let (sign, direction) = if descending { ("<", "DESC") } else { (">", "ASC") };
            conditions.add(format!("{column} IS NOT NULL"));
            if let Some((value, id)) = after {
                let (value, id) = (conditions.number(value), conditions.number(id));
                conditions.add(format!("({column}, tenant_id) {sign} (${value}, ${id})"));
            }
            (column, format!("{column} {direction}, tenant_id {direction}"))
        }
        UsageListPart::Missing(figure, after) => {
            let column = column(*figure);
            conditions.add(format!("{column} IS NULL"));
            if let Some(id) = after {
                let id = conditions.number(id);
                conditions.add(format!("tenant_id < ${id}"));
            }
            // The column is NULL in all these rows. It is named so that the planner uses the index that is in this order.
            (column, format!("{column} DESC, tenant_id DESC"))
        }
    };
    let select = format!(
        "SELECT {}, {}, {position} FROM tenants JOIN tenant_usage ON tenant_id = id",
        TenantColumns::LIST,
        RecordColumns::LIST
    );
    let statement = conditions.prepare(client, &conditions.page_query(&select, alternatives.as_ref(), &order)).await?;
    conditions.query(client, &statement, read).await
}

/// The column that a list is sorted by.
fn column(figure: Figure) -> &'static str {
    match figure {
        Figure::Agents => "agents",
        Figure::AgentsOnline => "agents_online",
        Figure::Contacts => "contacts",
        Figure::MessagesMonth => "messages_rank",
        Figure::StorageBytes => "storage_bytes",
    }
}

sql::columns! {
    RecordColumns -> UsageRecord {
        agents: "agents",
        agents_online: "agents_online",
        contacts: "contacts",
        storage_bytes: "storage_bytes",
        month: "month" via |first: Option<Date>| Ok(first.map(Month::with)),
        messages: "messages_measured",
        measured_at: "measured_at",
        error: "error" via |code: Option<&str>| {
            Ok(code.map(|code| MeasurementError::from_text(code).unwrap_or(MeasurementError::Unexpected)))
        },
    }
}

/// The stored figures of tenants, and the messages of the current month as last read from the live counters.
pub async fn list_records_of(
    client: &impl GenericClient,
    tenants: &[TenantId],
) -> Result<Vec<(TenantId, (UsageRecord, Option<i64>))>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            RecordColumns::LIST,
            ", tenant_id, CASE WHEN month = date_trunc('month', now() AT TIME ZONE 'UTC')::date THEN messages_counted END
             FROM tenant_usage WHERE tenant_id = ANY($1)"
        ))
        .await?;
    let rows = client.query(&statement, &[&tenants]).await?;
    let read = |row: &Row| {
        let (id, counted) = (row.try_get(RecordColumns::COUNT)?, row.try_get(RecordColumns::COUNT + 1)?);
        Ok((id, (RecordColumns::read(row)?, counted)))
    };
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<UsageRow> {
    Ok(UsageRow {
        tenant: TenantColumns::read(row)?,
        record: RecordColumns::read_at(row, TenantColumns::COUNT)?,
        position: row.try_get(TenantColumns::COUNT + RecordColumns::COUNT)?,
    })
}
