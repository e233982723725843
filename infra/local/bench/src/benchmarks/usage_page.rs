//! A page of tenants with usage: the query, the request, and the check of the response.

use std::time::{Duration, Instant};

use serde_json::Value;
use shared::clients::postgres::connect_once;
use tokio_postgres::{Client, Statement};

use crate::{
    benchmarks::tenant_columns::TENANT_COLUMNS,
    error::Result,
    measure::{
        request::{body, event, header},
        runtime::InvocationResult,
    },
    platform::instance::BenchPlatform,
};

pub(crate) const LIMIT: i64 = 1000;

/// The queries of a page, without the function around them.
pub(crate) struct UsageQueryFloor {
    client: Client,
    newest: Statement,
    sorted: Statement,
}

impl UsageQueryFloor {
    pub(crate) async fn of(platform: &BenchPlatform) -> Result<Self> {
        let client = connect_once(&platform.stores.api, None).await.map_err(|error| error.chain())?;
        let select = format!(
            "SELECT {TENANT_COLUMNS}, agents, agents_online, contacts, storage_bytes, month, messages_measured, measured_at, error
             FROM tenants JOIN tenant_usage ON tenant_id = id"
        );
        let newest = client.prepare(&format!("{select} ORDER BY created_at DESC, id DESC LIMIT $1")).await?;
        let sorted = "WHERE messages_rank IS NOT NULL ORDER BY messages_rank DESC, tenant_id DESC LIMIT $1";
        let sorted = client.prepare(&format!("{select} {sorted}")).await?;
        Ok(Self { client, newest, sorted })
    }

    /// Duration of the query for the newest tenants.
    pub(crate) async fn newest(&self) -> Result<Duration> {
        self.run(&self.newest).await
    }

    /// Duration of the query for the tenants with most messages.
    pub(crate) async fn sorted(&self) -> Result<Duration> {
        self.run(&self.sorted).await
    }

    async fn run(&self, statement: &Statement) -> Result<Duration> {
        let begun = Instant::now();
        let rows = self.client.query(statement, &[&LIMIT]).await?;
        let took = begun.elapsed();
        // Tenants that were never measured have no rank, so that a small platform fills no page.
        if rows.len() * 2 < usize::try_from(LIMIT)? {
            return Err(format!("the query of the floor returns only {} rows", rows.len()).into());
        }
        Ok(took)
    }
}

/// The event of a request for a page.
pub(crate) fn page_event(platform: &BenchPlatform, query: &str) -> String {
    event(&platform.token, "GET", "/tenants/usage", query, None)
}

/// Counts the tenants of a page, which must contain usage and the live counters.
pub(crate) fn count_tenants(page: &InvocationResult) -> Result<usize> {
    let tenants: Vec<Value> = serde_json::from_str(&body(page, 200)?)?;
    if tenants.iter().any(|tenant| tenant["usage"]["month"].is_null()) {
        return Err("a tenant has no usage".into());
    }
    match header(page, "x-live-counters")?.as_str() {
        "available" => Ok(tenants.len()),
        other => Err(format!("the live counters are `{other}`").into()),
    }
}

/// Checks that a page is full.
pub(crate) fn check_full(page: &InvocationResult) -> Result<()> {
    let found = count_tenants(page)?;
    if i64::try_from(found)? == LIMIT { Ok(()) } else { Err(format!("a page of {LIMIT} has {found} tenants").into()) }
}
