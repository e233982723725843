//! `GET /api/super-admin/tenants/usage`: all tenants with their usage, newest first or sorted by a figure, a page at a time.
//!
//! It reads the platform database and the live counters, and never opens a tenant's database. The response contains the age
//! of the figures.

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
    http::{Counting, Page, Paging, Query, QueryField, QueryReader, Result, Routes, add_count},
    query_parameters, routes,
    super_admins::{AuthContext, MayRead},
    types::{Cursor, Month, PageLimit, ParameterValue, ValueCursor},
    usage::{self, TenantUsage, UsageFilter, UsagePage, UsageSort, live_counters::LiveCounters, store::UsageOrder},
};
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterBuilder},
};

/// The name of the list in its cursors. Each sort order has a name of its own, because a cursor is valid for one order only.
const LIST: &str = "usage";

/// The header that reports whether the live counters were available.
const LIVE_COUNTERS: &str = "x-live-counters";

/// The dependencies of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub counters: Arc<LiveCounters>,
}

impl App {
    /// Reads the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            auth: AuthContext::from_env()?,
            counters: Arc::new(LiveCounters::new(Redis::connect(&RedisConfig::from_env()?)?)),
        })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => list_tenant_usage)
}

query_parameters! {
    /// Which tenants are requested.
    struct UsageParameters {
        filter: UsageFilter,
        page: UsagePageRequest,
    }
}

/// A page of the list, in one of its orders: the parameters `sort`, `limit`, `cursor` and `count`.
struct UsagePageRequest {
    order: UsageOrder,
    limit: PageLimit,
    wants_count: bool,
}

impl QueryField for UsagePageRequest {
    fn take(query: &mut QueryReader, _: &'static str) -> Option<Self> {
        let mut unknown = false;
        let sort = query.take("sort", |text| text.parse::<UsageSort>().inspect_err(|_| unknown = true));
        let limit = query.take("limit", PageLimit::parse).unwrap_or_default();
        let order = match sort {
            Some(sort) => {
                let after = query.take("cursor", |text| ValueCursor::decode(text, &list_by(sort)));
                UsageOrder::Figure { sort, after }
            }
            // The cursor of an unknown order cannot be checked.
            None if unknown => {
                query.take("cursor", |_| Ok(()));
                UsageOrder::Newest { after: None }
            }
            None => UsageOrder::Newest { after: query.take("cursor", |text| Cursor::decode(text, LIST)) },
        };
        let wants_count = query.take("count", bool::parse_parameter).unwrap_or_default();
        Some(Self { order, limit, wants_count })
    }

    fn describe(_: &str, _: &str) -> Vec<Parameter> {
        let sort = Option::<UsageSort>::describe(
            "sort",
            "Sort by a figure, in descending order with a leading -. Tenants without the figure come last. Newest first by default",
        );
        let example = |sort| ParameterBuilder::from(sort).example(Some("-messages_month".into())).build();
        let paging = Paging::into_params(|| None).into_iter().chain(Counting::into_params(|| None));
        sort.into_iter().map(example).chain(paging).collect()
    }
}

/// List all tenants with usage statistics
///
/// Lists tenants together with their usage, newest first by default. `sort` and `over_limit` use stored figures, which include
/// the live counters of the last minute.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/usage",
    params(UsageParameters),
    responses(
        (status = 200, description = "Array of organizations with their usage", body = Vec<TenantUsage>, headers(
            ("link" = String, description = "The next page, RFC 8288 rel=\"next\""),
            ("x-total-count" = i64, description = "With `count=true`: the number of tenants on all pages"),
            ("x-total-count-relation" = String, description = "`eq` if that number is exact, `gte` if there are more"),
            ("x-live-counters" = String, description = "`available`, or `unavailable`: then the messages are the measured ones"),
        )),
    ),
    security(("bearer" = []))
)]
async fn list_tenant_usage(
    reader: MayRead,
    Query(UsageParameters { filter, page: request }): Query<UsageParameters>,
    uri: Uri,
    State(counters): State<Arc<LiveCounters>>,
) -> Result<Response> {
    let UsagePageRequest { order, limit, wants_count } = request;
    let month = Month::current();
    let count = async {
        if wants_count { usage::store::count(reader.client(), &filter, month).await.map(Some) } else { Ok(None) }
    };
    let list = usage::store::list(reader.client(), &filter, month, order, limit);
    let (rows, count) = reader.admit(futures::future::try_join(list, count)).await?;
    // Releases the connection during the request to Redis, which may take half a second.
    drop(reader);
    let UsagePage { tenants, live_counters } = usage::add_live_counters(rows, &counters, month).await;
    let mut response = page(&tenants, order, limit)?.into_response(&uri);
    let availability = if live_counters { "available" } else { "unavailable" };
    response.headers_mut().insert(LIVE_COUNTERS, HeaderValue::from_static(availability));
    add_count(&mut response, count);
    Ok(response)
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
