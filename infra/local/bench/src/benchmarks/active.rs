//! From POST to an active tenant with its databases.

use std::time::{Duration, Instant};

use crate::{
    benchmarks::{
        table::{head, heading, row},
        tenant_database_floor::TenantDatabaseFloor,
    },
    error::Result,
    measure::samples::{Samples, ms},
    platform::{instance::BenchPlatform, provisioning::Provisioning},
    report::BenchReport,
};

const ROUNDS: usize = 50;
const WARM_UP: usize = 3;
/// Tenants that are requested at once.
const AT_ONCE: usize = 50;
/// p95 of one tenant at a time.
const GOAL: Duration = Duration::from_millis(500);

pub(crate) async fn measure(platform: &BenchPlatform, report: &mut BenchReport) -> Result<()> {
    heading("POST to active");
    let provisioning = platform.provisioning().await?;
    one_at_a_time(platform, provisioning, report).await?;
    at_once(provisioning, report).await
}

async fn one_at_a_time(platform: &BenchPlatform, provisioning: &Provisioning, report: &mut BenchReport) -> Result<()> {
    let floor = TenantDatabaseFloor::of(platform).await?;
    let (mut cloned, mut collections) = (Samples::default(), Samples::default());
    let (mut accepted, mut active) = (Samples::default(), Samples::default());
    let mut first = Duration::ZERO;
    for round in 0..WARM_UP + ROUNDS {
        let (postgres, mongo) = (floor.clone_postgres().await?, floor.create_collections().await?);
        let begun = Instant::now();
        let id = provisioning.request(&format!("active-{round}")).await?;
        let accepted_after = begun.elapsed();
        provisioning.wait_until_active(&[id]).await?;
        let active_after = begun.elapsed();
        if round == 0 {
            first = active_after;
        }
        if round >= WARM_UP {
            cloned.push(postgres);
            collections.push(mongo);
            accepted.push(accepted_after);
            active.push(active_after);
        }
    }
    head();
    row("CREATE DATABASE from the template", &cloned);
    row("collections with indexes", &collections);
    row("POST response", &accepted);
    row("POST to active, one at a time", &active);
    println!("the first, with cold workers: {}", ms(first));
    let floor = |quantile: fn(&Samples) -> Duration| quantile(&cloned) + quantile(&collections);
    report.without_goal("POST to active, p50", &ms(floor(Samples::p50)), &ms(active.p50()));
    report.at_most("POST to active, p95", Some(floor(Samples::p95)), active.p95(), GOAL);
    Ok(())
}

async fn at_once(provisioning: &Provisioning, report: &mut BenchReport) -> Result<()> {
    let begun = Instant::now();
    let ids = provisioning.request_many("at-once", AT_ONCE).await?;
    let accepted_after = begun.elapsed();
    let waited = provisioning.wait_until_active(&ids).await;
    let took = begun.elapsed();
    let count = provisioning.count_active(&ids).await?;
    let rate = f64::from(u32::try_from(count)?) / took.as_secs_f64();
    println!("{AT_ONCE} at once: all accepted after {}, {count} active after {}", ms(accepted_after), ms(took));
    // A tenant that is not active is a missed goal, so the run continues.
    if let Err(error) = waited {
        println!("{error}");
    }
    report.condition("50 at once, active", "all 50", &format!("{count}"), count == AT_ONCE);
    report.without_goal("50 at once, until the last is active", "", &ms(took));
    report.without_goal("50 at once, rate", "", &format!("{rate:.1} tenants/s"));
    Ok(())
}
