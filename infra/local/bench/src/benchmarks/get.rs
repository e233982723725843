//! A warm GET of one tenant.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{COLUMNS, head, heading, row};
use crate::{
    Result,
    report::Report,
    request::{body, event},
    runtime::Function,
    samples::Samples,
    world::World,
};

const ROUNDS: usize = 3000;
const WARM_UP: usize = 200;
/// How many times its floor it may take.
const GOAL: f64 = 1.5;

/// The query, a bare function, and ours, in turn.
pub(crate) async fn measure(world: &World, report: &mut Report) -> Result<()> {
    heading("GET one tenant, warm");
    let database = shared::clients::postgres::connect_once(&world.api, None).await.map_err(|error| error.chain())?;
    let ids = database.query("SELECT id FROM organizations ORDER BY id LIMIT 500", &[]).await?;
    let ids = ids.iter().map(|row| row.try_get(0)).collect::<Result<Vec<Uuid>, _>>()?;
    let statement = database.prepare(&format!("SELECT {COLUMNS} FROM organizations WHERE id = $1")).await?;
    let bare = Function::start(&world.program("floor-bare"), 1).await?;
    let ours = Function::start(&world.program("get-tenant"), 1).await?;
    let (mut sql, mut constant, mut got) = (Samples::default(), Samples::default(), Samples::default());
    for (round, id) in ids.iter().cycle().take(WARM_UP + ROUNDS).enumerate() {
        let event = event(&world.token, "GET", &format!("/tenants/{id}"), "", None);
        let begun = Instant::now();
        database.query_one(&statement, &[id]).await?;
        let queried = begun.elapsed();
        let answered = bare.invoke(event.clone()).await?;
        body(&answered, 200)?;
        let found = ours.invoke(event).await?;
        if !body(&found, 200)?.contains(&id.to_string()) {
            return Err(format!("the answer is not the tenant {id}").into());
        }
        if round >= WARM_UP {
            sql.push(queried);
            constant.push(answered.took);
            got.push(found.took);
        }
    }
    head();
    row("the query", &sql);
    row("a bare function", &constant);
    row("get-tenant", &got);
    report.times("GET of one tenant, p50", sql.p50() + constant.p50(), got.p50(), GOAL);
    report.seen("GET of one tenant, p99", &crate::samples::ms(sum(&sql, &constant)), &crate::samples::ms(got.p99()));
    Ok(())
}

fn sum(one: &Samples, other: &Samples) -> Duration {
    one.p99() + other.p99()
}
