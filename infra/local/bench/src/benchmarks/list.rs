//! GET of 1,000 of 10,000 tenants, warm.

use std::time::{Duration, Instant};

use serde_json::Value;
use shared::clients::postgres::connect_once;

use crate::{
    benchmarks::{
        table::{head, heading, row},
        tenant_columns::TENANT_COLUMNS,
    },
    error::Result,
    measure::{
        request::{body, event},
        runtime::Function,
        samples::Samples,
    },
    platform::instance::BenchPlatform,
    report::BenchReport,
};

const ROUNDS: usize = 400;
const WARM_UP: usize = 30;
const LIMIT: i64 = 1000;
/// p50, as a multiple of the query.
const P50_GOAL: f64 = 2.5;
const P99_GOAL: Duration = Duration::from_millis(10);

pub(crate) async fn measure(platform: &BenchPlatform, report: &mut BenchReport) -> Result<()> {
    heading(&format!("GET of {LIMIT} of {} tenants, warm", platform.tenants));
    let database = connect_once(&platform.stores.api, None).await.map_err(|error| error.chain())?;
    let page = format!("SELECT {TENANT_COLUMNS} FROM tenants ORDER BY created_at DESC, id DESC LIMIT $1");
    let statement = database.prepare(&page).await?;
    let bare = Function::start(&platform.program("floor-bare"), 1).await?;
    let function = Function::start(&platform.program("list-tenants"), 1).await?;
    let event = event(&platform.token, "GET", "/tenants", &format!("limit={LIMIT}"), None);
    let (mut query, mut constant, mut list) = (Samples::default(), Samples::default(), Samples::default());
    let mut bytes = 0;
    for round in 0..WARM_UP + ROUNDS {
        let begun = Instant::now();
        let rows = database.query(&statement, &[&LIMIT]).await?;
        let queried = begun.elapsed();
        let bare = bare.invoke(event.clone()).await?;
        let result = function.invoke(event.clone()).await?;
        let tenants: Vec<Value> = serde_json::from_str(&body(&result, 200)?)?;
        if rows.len() != tenants.len() {
            return Err(format!("the query returns {} tenants, the function {}", rows.len(), tenants.len()).into());
        }
        bytes = result.body.len();
        if round >= WARM_UP {
            query.push(queried);
            constant.push(bare.took);
            list.push(result.took);
        }
    }
    head();
    row("the query", &query);
    row("a bare function", &constant);
    row("list-tenants", &list);
    println!("size of the response: {} KiB", bytes / 1024);
    report.at_most_times("list of 1,000 of 10,000, p50", query.p50(), list.p50(), P50_GOAL);
    report.at_most("list of 1,000 of 10,000, p99", Some(query.p99()), list.p99(), P99_GOAL);
    Ok(())
}
