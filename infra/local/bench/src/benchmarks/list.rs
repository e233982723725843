//! A warm GET of 1,000 tenants out of 10,000.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{COLUMNS, head, heading, row};
use crate::{
    Result,
    report::Report,
    request::{body, event},
    runtime::Function,
    samples::Samples,
    world::World,
};

const ROUNDS: usize = 400;
const WARM_UP: usize = 30;
const LIMIT: i64 = 1000;
/// How many times its floor the median may take, and how long the slowest of a hundred.
const GOALS: (f64, Duration) = (2.5, Duration::from_millis(10));

/// The query and ours, in turn.
pub(crate) async fn measure(world: &World, report: &mut Report) -> Result<()> {
    heading(&format!("GET {LIMIT} tenants out of {}, warm", world.tenants));
    let database = shared::clients::postgres::connect_once(&world.api, None).await.map_err(|error| error.chain())?;
    let query = format!("SELECT {COLUMNS} FROM organizations ORDER BY created_at DESC, id DESC LIMIT $1");
    let statement = database.prepare(&query).await?;
    let bare = Function::start(&world.program("floor-bare"), 1).await?;
    let ours = Function::start(&world.program("list-tenants"), 1).await?;
    let event = event(&world.token, "GET", "/tenants", &format!("limit={LIMIT}"), None);
    let (mut sql, mut constant, mut listed) = (Samples::default(), Samples::default(), Samples::default());
    let mut bytes = 0;
    for round in 0..WARM_UP + ROUNDS {
        let begun = Instant::now();
        let rows = database.query(&statement, &[&LIMIT]).await?;
        let queried = begun.elapsed();
        let answered = bare.invoke(event.clone()).await?;
        let list = ours.invoke(event.clone()).await?;
        let tenants: Vec<Value> = serde_json::from_str(&body(&list, 200)?)?;
        if rows.len() != tenants.len() {
            return Err(format!("{} rows became {} tenants", rows.len(), tenants.len()).into());
        }
        bytes = list.body.len();
        if round >= WARM_UP {
            sql.push(queried);
            constant.push(answered.took);
            listed.push(list.took);
        }
    }
    head();
    row("the query", &sql);
    row("a bare function", &constant);
    row("list-tenants", &listed);
    println!("the answer has {} KiB", bytes / 1024);
    report.times("list of 1,000 of 10,000, p50", sql.p50(), listed.p50(), GOALS.0);
    report.at_most("list of 1,000 of 10,000, p99", Some(sql.p99()), listed.p99(), GOALS.1);
    Ok(())
}
