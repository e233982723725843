//! From POST to an active tenant, databases and all.

use std::time::{Duration, Instant};

use super::{head, heading, provisioning::Provisioning, row, tenant_databases::TenantDatabases};
use crate::{
    Result,
    report::Report,
    samples::{Samples, ms},
    world::World,
};

/// How many tenants are made one after another, and how many before that are not counted.
const ROUNDS: usize = 50;
const WARM_UP: usize = 3;
/// How many are asked for at once.
const AT_ONCE: usize = 50;
/// How long nineteen of twenty may take, one at a time.
const GOAL: Duration = Duration::from_millis(500);

/// One at a time, and many at once.
pub(crate) async fn measure(world: &World, report: &mut Report) -> Result<()> {
    heading("POST to active");
    let provisioning = world.provisioning().await?;
    one_at_a_time(world, provisioning, report).await?;
    at_once(provisioning, report).await
}

async fn one_at_a_time(world: &World, provisioning: &Provisioning, report: &mut Report) -> Result<()> {
    let floors = TenantDatabases::of(world).await?;
    let (mut cloned, mut collected) = (Samples::default(), Samples::default());
    let (mut accepted, mut active) = (Samples::default(), Samples::default());
    let mut first = Duration::ZERO;
    for round in 0..WARM_UP + ROUNDS {
        let (postgres, mongo) = (floors.clone_postgres().await?, floors.create_collections().await?);
        let begun = Instant::now();
        let id = provisioning.ask_for(&format!("active-{round}")).await?;
        let answered = begun.elapsed();
        provisioning.wait_for(&[id]).await?;
        let took = begun.elapsed();
        if round == 0 {
            first = took;
        }
        if round >= WARM_UP {
            cloned.push(postgres);
            collected.push(mongo);
            accepted.push(answered);
            active.push(took);
        }
    }
    head();
    row("CREATE DATABASE from the template", &cloned);
    row("eight collections with indexes", &collected);
    row("POST answered", &accepted);
    row("POST to active, one at a time", &active);
    println!("the first, with cold workers: {}", ms(first));
    let floor = |quantile: fn(&Samples) -> Duration| quantile(&cloned) + quantile(&collected);
    report.seen("POST to active, p50", &ms(floor(Samples::p50)), &ms(active.p50()));
    report.at_most("POST to active, p95", Some(floor(Samples::p95)), active.p95(), GOAL);
    Ok(())
}

async fn at_once(provisioning: &Provisioning, report: &mut Report) -> Result<()> {
    let begun = Instant::now();
    let ids = provisioning.ask_for_many("at-once", AT_ONCE).await?;
    let answered = begun.elapsed();
    let waited = provisioning.wait_for(&ids).await;
    let took = begun.elapsed();
    let count = provisioning.active_among(&ids).await?;
    let rate = f64::from(u32::try_from(count)?) / took.as_secs_f64();
    println!("{AT_ONCE} at once: all answered after {}, {count} active after {}", ms(answered), ms(took));
    if let Err(error) = waited {
        println!("{error}");
    }
    report.holds("50 at once, active", "all 50", &format!("{count}"), count == AT_ONCE);
    report.seen("50 at once, until the last is active", "", &ms(took));
    report.seen("50 at once, rate", "", &format!("{rate:.1} tenants/s"));
    Ok(())
}
