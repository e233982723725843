//! From POST to an active tenant, databases and all.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use emulator::event_source::{self, EventSource};
use serde_json::Value;
use tokio::{sync::oneshot, task::JoinSet, time::sleep};
use tokio_postgres::Client;
use uuid::Uuid;

use super::{create::tenant, head, heading, row, tenant_databases::TenantDatabases};
use crate::{
    Result,
    report::Report,
    request::{body, event},
    runtime::Function,
    samples::{Samples, ms},
    world::World,
};

/// How many tenants are made one after another, and how many before that are not counted.
const ROUNDS: usize = 50;
const WARM_UP: usize = 3;
/// How many are asked for at once.
const AT_ONCE: usize = 50;
/// Processes of each function, as `cargo dev up` has.
const PROCESSES: usize = 4;
/// How long nineteen of twenty may take, one at a time.
const GOAL: Duration = Duration::from_millis(500);
/// When a tenant that is not active yet is given up.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often it is asked whether a tenant is active.
const POLL: Duration = Duration::from_millis(2);

/// One at a time, and many at once.
pub(crate) async fn measure(world: &World, report: &mut Report) -> Result<()> {
    heading("POST to active");
    let create = Arc::new(Function::start(&world.program("create-tenant"), PROCESSES).await?);
    let provision = Arc::new(Function::start(&world.program("provision-tenant"), PROCESSES).await?);
    let source = EventSource {
        queue_url: world.queue_url.clone(),
        function: "provision-tenant".to_owned(),
        batch_size: 10,
        max_concurrency: PROCESSES,
        batching_window: Duration::ZERO,
        function_timeout: Duration::from_mins(1),
    };
    let (end, ended) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = ended.await;
    };
    let mapping = tokio::spawn(event_source::run(source, world.sqs.clone(), provision, shutdown));
    let watcher = world.owner().await?;
    let measured = async {
        one_at_a_time(world, &create, &watcher, report).await?;
        at_once(world, &create, &watcher, report).await
    };
    let measured = measured.await;
    // Nobody is waited for: the queue is about to go.
    drop(end);
    mapping.abort();
    measured
}

async fn one_at_a_time(world: &World, create: &Function, watcher: &Client, report: &mut Report) -> Result<()> {
    let floors = TenantDatabases::of(world).await?;
    let (mut cloned, mut collected) = (Samples::default(), Samples::default());
    let (mut accepted, mut active) = (Samples::default(), Samples::default());
    let mut first = Duration::ZERO;
    for round in 0..WARM_UP + ROUNDS {
        let (postgres, mongo) = (floors.clone_postgres().await?, floors.create_collections().await?);
        let begun = Instant::now();
        let id = ask_for(world, create, &format!("active-{round}")).await?;
        let answered = begun.elapsed();
        wait_for(watcher, &[id]).await?;
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

async fn at_once(world: &World, create: &Arc<Function>, watcher: &Client, report: &mut Report) -> Result<()> {
    let begun = Instant::now();
    let mut requests = JoinSet::new();
    for number in 0..AT_ONCE {
        let create = Arc::clone(create);
        let event = event(&world.token, "POST", "/tenants", "", Some(&tenant(&format!("at-once-{number}"))));
        requests.spawn(async move { id_of(&body(&create.invoke(event).await?, 201)?) });
    }
    let mut ids = Vec::new();
    while let Some(id) = requests.join_next().await {
        ids.push(id??);
    }
    let answered = begun.elapsed();
    let waited = wait_for(watcher, &ids).await;
    let took = begun.elapsed();
    let count = active_among(watcher, &ids).await?;
    let rate = f64::from(u32::try_from(count)?) / took.as_secs_f64();
    println!("{AT_ONCE} at once: all answered after {}, {count} active after {}", ms(answered), ms(took));
    if let Err(error) = waited {
        println!("{error}");
    }
    report.holds("50 at once, active", "all 50", &format!("{count}"), count == i64::try_from(AT_ONCE)?);
    report.seen("50 at once, until the last is active", "", &ms(took));
    report.seen("50 at once, rate", "", &format!("{rate:.1} tenants/s"));
    Ok(())
}

async fn ask_for(world: &World, create: &Function, slug: &str) -> Result<Uuid> {
    let answer = create.invoke(event(&world.token, "POST", "/tenants", "", Some(&tenant(slug)))).await?;
    id_of(&body(&answer, 201)?)
}

fn id_of(tenant: &str) -> Result<Uuid> {
    let tenant: Value = serde_json::from_str(tenant)?;
    Ok(tenant["id"].as_str().ok_or("a tenant without an id")?.parse()?)
}

/// Waits until all are active.
async fn wait_for(watcher: &Client, ids: &[Uuid]) -> Result<()> {
    let statement = watcher
        .prepare(
            "SELECT count(*) FILTER (WHERE status = 'provisioning'), min(id::text) FILTER (WHERE status = 'failed')
                  FROM organizations WHERE id = ANY($1)",
        )
        .await?;
    let begun = Instant::now();
    loop {
        let row = watcher.query_one(&statement, &[&ids]).await?;
        let (waiting, failed): (i64, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
        if let Some(id) = failed {
            return Err(format!("the tenant {id} failed: see .local/log/bench-provision-tenant.log").into());
        }
        if waiting == 0 {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("{waiting} of {} tenants are not active after {PATIENCE:?}", ids.len()).into());
        }
        sleep(POLL).await;
    }
}

async fn active_among(watcher: &Client, ids: &[Uuid]) -> Result<i64> {
    let count = "SELECT count(*) FROM organizations WHERE id = ANY($1) AND status = 'active'";
    Ok(watcher.query_one(count, &[&ids]).await?.try_get(0)?)
}
