//! The first request of a new process, with its connection to the platform database: TLS, SCRAM and the query.

use std::time::{Duration, Instant};

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
        samples::Samples,
    },
    platform::instance::BenchPlatform,
    report::BenchReport,
};

const ROUNDS: usize = 40;
/// How much longer than a bare function with a bare connection and the query.
const GOAL: Duration = Duration::from_millis(3);

/// From the start of the process to the answer, because a function connects while Lambda initializes it.
pub(crate) async fn measure(platform: &BenchPlatform, report: &mut BenchReport) -> Result<()> {
    heading("Cold: from exec to the answer of the first request");
    let database = connect_once(&platform.stores.api, None).await.map_err(|error| error.chain())?;
    let id: Uuid = database.query_one("SELECT id FROM tenants ORDER BY id LIMIT 1", &[]).await?.try_get(0)?;
    let query = format!("SELECT {TENANT_COLUMNS} FROM tenants WHERE id = $1");
    let event = event(&platform.token, "GET", &format!("/tenants/{id}"), "", None);
    let (mut connecting, mut bare, mut started, mut first, mut total) = <(_, _, _, _, _)>::default();
    // The first round reads the binaries into memory.
    for round in 0..=ROUNDS {
        let begun = Instant::now();
        let connection = connect_once(&platform.stores.api, None).await.map_err(|error| error.chain())?;
        connection.query_one(&query, &[&id]).await?;
        let connected = begun.elapsed();
        let function = Function::start(&platform.program("floor-bare"), 1).await?;
        let answer = function.invoke(event.clone()).await?;
        body(&answer, 200)?;
        let floor = function.start_times[0] + answer.took;
        let function = Function::start(&platform.program("get-tenant"), 1).await?;
        let answer = function.invoke(event.clone()).await?;
        body(&answer, 200)?;
        if round > 0 {
            Samples::push(&mut connecting, connected);
            Samples::push(&mut bare, floor);
            Samples::push(&mut started, function.start_times[0]);
            Samples::push(&mut first, answer.took);
            Samples::push(&mut total, function.start_times[0] + answer.took);
        }
    }
    head();
    row("connection and query", &connecting);
    row("a bare function", &bare);
    row("get-tenant: start", &started);
    row("get-tenant: first request", &first);
    row("get-tenant: both", &total);
    let floor = bare.p50() + connecting.p50();
    report.at_most("first request of a process, p50", Some(floor), total.p50(), floor + GOAL);
    Ok(())
}
