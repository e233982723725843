//! `GET /api/super-admin/tenants/usage`: all tenant tenants with what they use, newest first or in the order of a
//! figure, a page at a time.
//!
//! It reads the platform database and the live counters, and never opens a tenant's database: how old a figure is, is said.

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    http::{HeaderValue, Uri},
    response::Response,
};
use shared::{
    clients::redis::Redis,
    config::{ConfigError, FromEnv, RedisConfig},
    error::Error,
    http::{Page, Paging, QueryParameters, QueryReader, Result, Routes},
    routes,
    super_admins::{AuthContext, MayRead},
    tenants::TenantFilter,
    types::{Cursor, Month, PageLimit, ParameterValue, ValueCursor},
    usage::{
        self, TenantUsage, Usage, UsageSort,
        live_counters::LiveCounters,
        store::{UsageFilter, UsageOrder, UsageRow},
    },
};

/// The name of the list inside its cursors. Each order but the first has its own, as a cursor of one is none of another.
const LIST: &str = "usage";

/// Tells whether the live counters were there.
const LIVE_COUNTERS: &str = "x-live-counters";

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// Who may do what, and the platform database.
    pub gate: AuthContext,
    /// The live counters.
    pub counters: Arc<LiveCounters>,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            gate: AuthContext::from_env()?,
            counters: Arc::new(LiveCounters::new(Redis::connect(&RedisConfig::from_env()?)?)),
        })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => list_tenant_usage)
}

/// List all tenants with usage statistics
///
/// Orders and `over_limit` go by the figures that the platform keeps; into those the live counters are taken every minute.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/usage",
    params(
        TenantFilter,
        ("over_limit" = Option<bool>, Query, description = "Only those that use more of something than their limits allow, or only the others"),
        ("sort" = Option<String>, Query, example = "-messages_month",
            pattern = "^-?(agents|agents_online|contacts|messages_month|storage_bytes)$",
            description = "In the order of a figure, with - before it the greatest first; those without it come last. Newest first unless said"),
        Paging,
    ),
    responses(
        (status = 200, description = "Array of tenants with their usage", body = Vec<TenantUsage>, headers(
            ("link" = String, description = "The next page, RFC 8288 rel=\"next\""),
            ("x-live-counters" = String, description = "`available`, or `unavailable`: then messages are as they were measured"),
        )),
    ),
    security(("bearer" = []))
)]
async fn list_tenant_usage(
    reader: MayRead,
    query: QueryReader,
    uri: Uri,
    State(counters): State<Arc<LiveCounters>>,
) -> Result<Response> {
    let (filter, order, limit) = read(query)?;
    let month = Month::current();
    let rows = reader.admit(usage::store::list(reader.client(), &filter, month, order, limit)).await?;
    // Others may have the connection while Redis is asked, which may take its half a second.
    drop(reader);
    let (counted, available) = match counters.messages(rows.iter().map(|row| row.tenant.id), month).await {
        Ok(counted) => (counted, "available"),
        Err(error) => {
            tracing::warn!(error = error.chain(), "usage is shown without the live counters");
            (Vec::new(), "unavailable")
        }
    };
    let mut counted = counted.into_iter();
    let tenants: Vec<_> = rows.into_iter().map(|row| show(row, month, counted.next().flatten())).collect();
    let mut response = page(&tenants, order, limit)?.into_response(&uri);
    response.headers_mut().insert(LIVE_COUNTERS, HeaderValue::from_static(available));
    Ok(response)
}

fn show(row: UsageRow, month: Month, counted: Option<i64>) -> TenantUsage {
    let usage = Usage::new(row.record, &row.tenant.limits, month, counted);
    TenantUsage { tenant: row.tenant, usage, position: row.position }
}

fn page(tenants: &[TenantUsage], order: UsageOrder, limit: PageLimit) -> Result<Page, Error> {
    match order {
        UsageOrder::Newest { .. } => Page::new(LIST, tenants, limit, |TenantUsage { tenant, .. }| Cursor {
            created_at: tenant.created_at,
            id: tenant.id.0,
        }),
        UsageOrder::Figure { sort, .. } => Page::new(&list_by(sort), tenants, limit, |item: &TenantUsage| {
            ValueCursor { value: item.position, id: item.tenant.id.0 }
        }),
    }
}

fn list_by(sort: UsageSort) -> String {
    format!("{LIST}:{sort}")
}

fn read(mut query: QueryReader) -> Result<(UsageFilter, UsageOrder, PageLimit), Error> {
    let tenants = TenantFilter::take_all(&mut query).unwrap_or_default();
    let over_limit = query.take("over_limit", bool::parse_parameter);
    let filter = UsageFilter { tenants, over_limit };
    let mut unknown = false;
    let sort = query.take("sort", |text| text.parse::<UsageSort>().inspect_err(|_| unknown = true));
    let limit = query.take("limit", PageLimit::parse).unwrap_or_default();
    let order = match sort {
        Some(sort) => {
            let after = query.take("cursor", |text| ValueCursor::decode(text, &list_by(sort)));
            UsageOrder::Figure { sort, after }
        }
        // Whether the cursor is one of an order that does not exist cannot be said.
        None if unknown => {
            query.take("cursor", |_| Ok::<_, Error>(()));
            UsageOrder::Newest { after: None }
        }
        None => UsageOrder::Newest { after: query.take("cursor", |text| Cursor::decode(text, LIST)) },
    };
    query.finish()?;
    Ok((filter, order, limit))
}
