//! GET of one tenant, warm.

use std::time::Instant;

use shared::clients::postgres::connect_once;
use uuid::Uuid;

use crate::{
    benchmarks::{
        table::{head, heading, row},
        tenant_columns::TENANT_COLUMNS,
    },
    error::Result,
    measure::{
        request::{body, event},
        runtime::Function,
        samples::{Samples, ms},
    },
    platform::instance::BenchPlatform,
    report::BenchReport,
};

const ROUNDS: usize = 3000;
const WARM_UP: usize = 200;
/// p50, as a multiple of the floor: the query and a bare function.
const GOAL: f64 = 1.5;

pub(crate) async fn measure(platform: &BenchPlatform, report: &mut BenchReport) -> Result<()> {
    heading("GET of one tenant, warm");
    let database = connect_once(&platform.stores.api, None).await.map_err(|error| error.chain())?;
    let ids = database.query("SELECT id FROM tenants ORDER BY id LIMIT 500", &[]).await?;
    let ids = ids.iter().map(|row| row.try_get(0)).collect::<Result<Vec<Uuid>, _>>()?;
    let statement = database.prepare(&format!("SELECT {TENANT_COLUMNS} FROM tenants WHERE id = $1")).await?;
    let bare = Function::start(&platform.program("floor-bare"), 1).await?;
    let function = Function::start(&platform.program("get-tenant"), 1).await?;
    let (mut query, mut constant, mut get) = (Samples::default(), Samples::default(), Samples::default());
    for (round, id) in ids.iter().cycle().take(WARM_UP + ROUNDS).enumerate() {
        let event = event(&platform.token, "GET", &format!("/tenants/{id}"), "", None);
        let begun = Instant::now();
        database.query_one(&statement, &[id]).await?;
        let queried = begun.elapsed();
        let bare = bare.invoke(event.clone()).await?;
        body(&bare, 200)?;
        let result = function.invoke(event).await?;
        if !body(&result, 200)?.contains(&id.to_string()) {
            return Err(format!("the response does not contain the tenant {id}").into());
        }
        if round >= WARM_UP {
            query.push(queried);
            constant.push(bare.took);
            get.push(result.took);
        }
    }
    head();
    row("the query", &query);
    row("a bare function", &constant);
    row("get-tenant", &get);
    report.at_most_times("GET of one tenant, p50", query.p50() + constant.p50(), get.p50(), GOAL);
    report.without_goal("GET of one tenant, p99", &ms(query.p99() + constant.p99()), &ms(get.p99()));
    Ok(())
}
