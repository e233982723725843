//! Measuring usage: tenants per second, by one worker and from due to measured, and the requests to each store.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use shared::clients::postgres::connect_once;
use time::OffsetDateTime;
use tokio::time::sleep;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{
    benchmarks::{
        store_load::{LoadMeter, PostgresLoad, StoreLoad, per, per_each},
        table::{head, heading, row},
    },
    error::Result,
    measure::{
        queue_mapping::QueueMapping,
        runtime::{Function, Program},
        samples::{Samples, ms},
        socket::CountingProxy,
    },
    platform::{
        filled_tenants::{CONTACTS, FilledTenants, MESSAGES, OBJECTS, USERS},
        instance::BenchPlatform,
    },
    report::BenchReport,
};

/// Tenants in one invocation, as deployed.
const TENANTS: usize = 50;
/// Measurements of all tenants: by one worker, and through the queue.
const ROUNDS: usize = 15;
const QUEUE_ROUNDS: usize = 6;
const WARM_UP: usize = 2;
/// Tenants in a message, and messages in an invocation, as deployed.
const TENANTS_PER_MESSAGE: usize = 25;
const BATCH_SIZE: usize = 2;
/// Processes, as deployed.
const PROCESSES: usize = 2;
const MEASURE_TIMEOUT: Duration = Duration::from_mins(1);

pub(crate) async fn measure(platform: &BenchPlatform, report: &mut BenchReport) -> Result<()> {
    heading(&format!(
        "Measuring {TENANTS} tenants, each with {USERS} users, {CONTACTS} contacts, {MESSAGES} messages this month, {OBJECTS} objects"
    ));
    let tenants = FilledTenants::create(platform, "measured", TENANTS).await?;
    let (url, authority) = platform.s3()?;
    let s3 = CountingProxy::before(url, authority).await?;
    let mut program = platform.program("measure-usage");
    program.variables.push(("AWS_ENDPOINT_URL_S3", format!("http://{}", s3.address)));
    // The proxy reads requests, so it does not speak TLS with the function.
    program.variables.push(("PLAINTEXT_ALLOWED", "AWS_ENDPOINT_URL_S3".to_owned()));
    // Objects are listed at each measurement.
    program.variables.push(("MEASURE_OBJECTS_INTERVAL_SECONDS", "0".to_owned()));
    let meter = LoadMeter::connect(platform, tenants.databases.clone(), &s3).await?;
    head();
    let load = by_worker(platform, &program, &tenants, &meter, report).await?;
    let schedule = by_queue(platform, &program, &tenants, &meter, report).await?;
    let count = (WARM_UP + ROUNDS) * TENANTS;
    report_load(report, "tenants' PostgreSQL databases", "per tenant", &postgres_load(load.tenants, count));
    report_load(report, "platform database", "per tenant", &postgres_load(load.platform, count));
    report_load(report, "MongoDB", "per tenant", &per_each(&load.mongo, count));
    report_load(report, "S3", "per tenant", &format!("{} requests", per(load.s3, count)));
    report_load(report, "Redis", "per tenant", &per_each(&load.redis, count));
    report_load(report, "Redis", "per schedule", &per_each(&schedule.redis, QUEUE_ROUNDS));
    Ok(())
}

/// Measures all tenants in one invocation of one process.
async fn by_worker(
    platform: &BenchPlatform,
    program: &Program,
    tenants: &FilledTenants,
    meter: &LoadMeter<'_>,
    report: &mut BenchReport,
) -> Result<StoreLoad> {
    let database = platform.stores.connect_owner().await?;
    let before = meter.read().await?;
    let worker = Function::start(program, 1).await?;
    let (mut took, mut counted) = (Samples::default(), Samples::default());
    let event = queue_event(&tenants.ids).to_string();
    for round in 0..WARM_UP + ROUNDS {
        let begun = now(&database).await?;
        let result = worker.invoke(event.clone()).await?;
        let response: Value = serde_json::from_slice(&result.body)?;
        let measured = tenants.count_measured(&database, begun).await?;
        if !result.succeeded || response["batchItemFailures"] != json!([]) || measured != TENANTS {
            return Err(format!("{measured} of {TENANTS} tenants were measured: {response}").into());
        }
        if round >= WARM_UP {
            took.push(result.took);
        }
    }
    // PostgreSQL reports the last statistics of a connection when it ends.
    drop(worker);
    sleep(Duration::from_secs(1)).await;
    let load = meter.read().await?.since(&before);
    for database in tenants.databases.iter().cycle().take(100) {
        counted.push(count_users(platform, database).await?);
    }
    row("connect to a tenant, count its users", &counted);
    row(&format!("one worker, {TENANTS} tenants"), &took);
    report.without_goal("measuring by one worker", &ms(counted.p50()), &rate(took.p50()));
    Ok(load)
}

/// Measures all tenants from due to measured: by the schedule, the queue, and the deployed number of workers.
async fn by_queue(
    platform: &BenchPlatform,
    program: &Program,
    tenants: &FilledTenants,
    meter: &LoadMeter<'_>,
    report: &mut BenchReport,
) -> Result<StoreLoad> {
    let database = platform.stores.connect_owner().await?;
    let workers = Arc::new(Function::start(program, PROCESSES).await?);
    // The first schedule copies every live counter to the platform database, so it is measured separately.
    let first = schedule(&workers).await?;
    let queue_url = &platform.measure_queue_url;
    let mapping = QueueMapping::start(&platform.stores.sqs, queue_url, Arc::clone(&workers), BATCH_SIZE, PROCESSES);
    let (mut took, mut scheduled) = (Samples::default(), Samples::default());
    let before = meter.read().await?;
    for _ in 0..QUEUE_ROUNDS {
        let due = "UPDATE tenant_usage SET due_at = now() WHERE tenant_id = ANY($1)";
        database.execute(due, &[&tenants.ids]).await?;
        let (since, begun) = (now(&database).await?, Instant::now());
        scheduled.push(schedule(&workers).await?);
        while tenants.count_measured(&database, since).await? < TENANTS {
            if begun.elapsed() > MEASURE_TIMEOUT {
                return Err("not all tenants were measured: see .local/log/bench-measure-usage.log".into());
            }
            sleep(Duration::from_millis(5)).await;
        }
        took.push(begun.elapsed());
    }
    let load = meter.read().await?.since(&before);
    drop(mapping);
    row(&format!("due to measured, {TENANTS} tenants"), &took);
    row(&format!("schedule, {} live counters", platform.tenants), &scheduled);
    println!("the first schedule, with every live counter changed: {}", ms(first));
    report.without_goal("measuring, due to measured", "", &rate(took.p50()));
    report.without_goal(&format!("schedule, {} tenants, p50", platform.tenants), "", &ms(scheduled.p50()));
    Ok(load)
}

/// Invokes the function as its schedule does, and returns the duration.
async fn schedule(workers: &Function) -> Result<Duration> {
    let event = json!({ "version": "0", "source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}" });
    let result = workers.invoke(event.to_string()).await?;
    if result.succeeded {
        Ok(result.took)
    } else {
        Err(format!("the schedule failed: {}", String::from_utf8_lossy(&result.body)).into())
    }
}

/// Duration of connecting to a tenant's database and counting its active users.
async fn count_users(platform: &BenchPlatform, database: &str) -> Result<Duration> {
    let begun = Instant::now();
    let client = connect_once(&platform.stores.api, Some(database)).await.map_err(|error| error.chain())?;
    client.query_one("SELECT count(*) FROM users WHERE status = 'active'", &[]).await?;
    Ok(begun.elapsed())
}

/// The event of SQS messages that contain these tenants.
fn queue_event(ids: &[Uuid]) -> Value {
    let records = ids.chunks(TENANTS_PER_MESSAGE).map(|ids| {
        json!({
            "messageId": Uuid::now_v7(), "receiptHandle": "bench", "eventSource": "aws:sqs", "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:measure-usage", "attributes": {},
            "messageAttributes": {}, "md5OfBody": "", "body": json!({ "tenant_ids": ids }).to_string(),
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// The time of the database server, which also sets `measured_at`.
async fn now(database: &Client) -> Result<OffsetDateTime> {
    Ok(database.query_one("SELECT clock_timestamp()", &[]).await?.try_get(0)?)
}

fn rate(took: Duration) -> String {
    let tenants = f64::from(u32::try_from(TENANTS).unwrap_or(u32::MAX));
    format!("{:.0} tenants/s", tenants / took.as_secs_f64())
}

fn postgres_load(load: PostgresLoad, tenants: usize) -> String {
    format!("{} connections, {} transactions", per(load.connections, tenants), per(load.transactions, tenants))
}

fn report_load(report: &mut BenchReport, store: &str, unit: &str, load: &str) {
    report.without_goal(&format!("load of {store}"), unit, load);
}
