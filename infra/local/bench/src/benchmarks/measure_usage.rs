//! Measuring: tenants a second, by a worker alone and from being due to being measured, and what it asks of each store.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use emulator::event_source::{self, EventSource};
use serde_json::{Value, json};
use shared::clients::postgres::connect_once;
use time::OffsetDateTime;
use tokio::{sync::oneshot, time::sleep};
use tokio_postgres::Client;
use uuid::Uuid;

use super::{
    filled_tenants::{AGENTS, CONTACTS, FilledTenants, MESSAGES, OBJECTS},
    head, heading,
    load::{Load, Meter, per, per_each},
    row,
};
use crate::{
    Result,
    report::Report,
    runtime::{Function, Program},
    samples::{Samples, ms},
    socket::Counting,
    world::World,
};

/// How many tenants there are to be measured: as many as a deployed function gets at once.
const TENANTS: usize = 50;
/// How often all of them are measured, by a worker and by way of the queue, and how often before that is not counted.
const ROUNDS: usize = 15;
const QUEUED_ROUNDS: usize = 6;
const WARM_UP: usize = 2;
/// Tenants in a message, as the function sends it.
const IN_MESSAGE: usize = 25;
/// Processes, as deployed.
const PROCESSES: usize = 2;
/// When it is given up that all are measured.
const PATIENCE: Duration = Duration::from_mins(1);

/// By a worker, by way of the queue, and what it asks.
pub(crate) async fn measure(world: &World, report: &mut Report) -> Result<()> {
    heading(&format!(
        "Measuring {TENANTS} tenants, each with {AGENTS} agents, {CONTACTS} contacts, {MESSAGES} messages this month, {OBJECTS} objects"
    ));
    let tenants = FilledTenants::make(world, TENANTS).await?;
    let s3 = Counting::before(world.s3_address()?).await?;
    let mut program = world.program("measure-usage");
    program.variables.push(("AWS_ENDPOINT_URL_S3", format!("http://{}", s3.address)));
    let meter = Meter::of(world, tenants.databases.clone(), &s3).await?;
    head();
    let load = by_worker(world, &program, &tenants, &meter, report).await?;
    let sweep = by_queue(world, &program, &tenants, &meter, report).await?;
    let measured = (WARM_UP + ROUNDS) * TENANTS;
    tell(report, "tenants' PostgreSQL databases", "a tenant", &asked(load.tenants, measured));
    tell(report, "platform database", "a tenant", &asked(load.platform, measured));
    tell(report, "MongoDB", "a tenant", &per_each(&load.mongo, measured));
    tell(report, "S3", "a tenant", &format!("{} requests", per(load.s3, measured)));
    tell(report, "Redis", "a tenant", &per_each(&load.redis, measured));
    tell(
        report,
        "Redis",
        &format!("a schedule over {} tenants", world.tenants),
        &per_each(&sweep.redis, QUEUED_ROUNDS),
    );
    Ok(())
}

/// All tenants in one invocation of one process.
async fn by_worker(
    world: &World,
    program: &Program,
    tenants: &FilledTenants,
    meter: &Meter<'_>,
    report: &mut Report,
) -> Result<Load> {
    let platform = world.owner().await?;
    let before = meter.read().await?;
    let worker = Function::start(program, 1).await?;
    let (mut took, mut opened) = (Samples::default(), Samples::default());
    let event = batch(&tenants.ids).to_string();
    for round in 0..WARM_UP + ROUNDS {
        let begun = now(&platform).await?;
        let answer = worker.invoke(event.clone()).await?;
        let said: Value = serde_json::from_slice(&answer.body)?;
        let measured = tenants.measured(&platform, begun).await?;
        if !answer.succeeded || said["batchItemFailures"] != json!([]) || measured != TENANTS {
            return Err(format!("{measured} of {TENANTS} tenants were measured: {said}").into());
        }
        if round >= WARM_UP {
            took.push(answer.took);
        }
    }
    // What a connection did is told when it ends.
    drop(worker);
    sleep(Duration::from_secs(1)).await;
    let load = meter.read().await?.since(&before);
    for database in tenants.databases.iter().cycle().take(100) {
        opened.push(open(world, database).await?);
    }
    row("a tenant's PostgreSQL, opened and asked", &opened);
    row(&format!("a worker, {TENANTS} tenants"), &took);
    report.seen("measuring by one worker", &ms(opened.p50()), &rate(took.p50()));
    Ok(load)
}

/// From being due to being measured: the schedule, the queue, and workers as many as are deployed.
async fn by_queue(
    world: &World,
    program: &Program,
    tenants: &FilledTenants,
    meter: &Meter<'_>,
    report: &mut Report,
) -> Result<Load> {
    let platform = world.owner().await?;
    let workers = Arc::new(Function::start(program, PROCESSES).await?);
    let source = EventSource {
        queue_url: world.measure_queue_url.clone(),
        function: "measure-usage".to_owned(),
        batch_size: 2,
        max_concurrency: PROCESSES,
        batching_window: Duration::ZERO,
        function_timeout: Duration::from_mins(1),
    };
    let (_end, ended) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = ended.await;
    };
    // The first takes all live counters into the platform database.
    let first = schedule(&workers).await?;
    let mapping = tokio::spawn(event_source::run(source, world.sqs.clone(), Arc::clone(&workers), shutdown));
    let (mut took, mut scheduled) = (Samples::default(), Samples::default());
    let measured = async {
        let before = meter.read().await?;
        for _ in 0..QUEUED_ROUNDS {
            let due = "UPDATE tenant_usage SET due_at = now() WHERE organization_id = ANY($1)";
            platform.execute(due, &[&tenants.ids]).await?;
            let (since, begun) = (now(&platform).await?, Instant::now());
            scheduled.push(schedule(&workers).await?);
            while tenants.measured(&platform, since).await? < TENANTS {
                if begun.elapsed() > PATIENCE {
                    return Err("not all tenants are measured: see .local/log/bench-measure-usage.log".into());
                }
                sleep(Duration::from_millis(5)).await;
            }
            took.push(begun.elapsed());
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(meter.read().await?.since(&before))
    };
    let measured = measured.await;
    mapping.abort();
    let load = measured?;
    row(&format!("due to measured, {TENANTS} tenants"), &took);
    row(&format!("a schedule, {} live counters", world.tenants), &scheduled);
    println!("the first schedule, with every live counter news: {}", ms(first));
    report.seen("measuring, from due to measured", "", &rate(took.p50()));
    report.seen(&format!("a schedule over {} tenants, p50", world.tenants), "", &ms(scheduled.p50()));
    Ok(load)
}

/// Runs the schedule's part once; says how long it took.
async fn schedule(workers: &Function) -> Result<Duration> {
    let event = json!({ "version": "0", "source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}" });
    let answer = workers.invoke(event.to_string()).await?;
    if answer.succeeded {
        Ok(answer.took)
    } else {
        Err(format!("the schedule failed: {}", String::from_utf8_lossy(&answer.body)).into())
    }
}

/// How long it takes to connect to a tenant's database and count its agents.
async fn open(world: &World, database: &str) -> Result<Duration> {
    let begun = Instant::now();
    let client = connect_once(&world.api, Some(database)).await.map_err(|error| error.chain())?;
    client.query_one("SELECT count(*) FROM agents WHERE status = 'active'", &[]).await?;
    Ok(begun.elapsed())
}

/// The event of messages that name tenants, as the queue hands them over.
fn batch(ids: &[Uuid]) -> Value {
    let records = ids.chunks(IN_MESSAGE).map(|ids| {
        json!({
            "messageId": Uuid::now_v7(), "receiptHandle": "bench", "eventSource": "aws:sqs", "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:measure-usage", "attributes": {},
            "messageAttributes": {}, "md5OfBody": "", "body": json!({ "tenant_ids": ids }).to_string(),
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

async fn now(platform: &Client) -> Result<OffsetDateTime> {
    Ok(platform.query_one("SELECT clock_timestamp()", &[]).await?.try_get(0)?)
}

fn rate(took: Duration) -> String {
    let tenants = f64::from(u32::try_from(TENANTS).unwrap_or(u32::MAX));
    format!("{:.0} tenants/s", tenants / took.as_secs_f64())
}

fn asked((connections, transactions): (i64, i64), tenants: usize) -> String {
    format!("{} connections, {} transactions", per(connections, tenants), per(transactions, tenants))
}

fn tell(report: &mut Report, store: &str, of: &str, asked: &str) {
    report.seen(&format!("asked of {store}"), of, asked);
}
