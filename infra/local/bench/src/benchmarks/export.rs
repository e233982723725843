//! An export of a tenant of 1 GiB. The floor is what an administrator would run: `pg_dump | gzip`, and at the same time a cursor over
//! each collection of MongoDB, whose documents are piped to `gzip`.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use futures::TryStreamExt;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    time::sleep,
};
use uuid::Uuid;

use crate::{
    benchmarks::table::{head, heading, row},
    error::Result,
    measure::{
        request::{body, event},
        runtime::Function,
        samples::Samples,
    },
    platform::{
        instance::BenchPlatform,
        large_tenant::LargeTenant,
        urls::{postgres_database, without_password},
    },
    report::BenchReport,
};

const ROUNDS: usize = 3;
const EXPORT_TIMEOUT: Duration = Duration::from_mins(10);
/// At least 60 % of the speed of the floor.
const GOAL: f64 = 1.66;
const MEMORY_GOAL_MIB: u64 = 128;

pub(crate) async fn measure(platform: &BenchPlatform, report: &mut BenchReport) -> Result<()> {
    heading("Export of a tenant of 1 GiB");
    let tenant = LargeTenant::create(platform).await?;
    let (users, messages) = tenant.bytes(platform).await?;
    println!("{} MiB of users in PostgreSQL, {} MiB of messages in MongoDB", users >> 20, messages >> 20);
    let function = Function::start(&platform.program("create-export"), 1).await?;
    let (mut dumped, mut exported) = (Samples::default(), Samples::default());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        tokio::try_join!(dump_postgres(platform, &tenant.database), dump_mongo(platform, &tenant.database))?;
        dumped.push(begun.elapsed());
        exported.push(export(platform, &function, tenant.id).await?);
    }
    head();
    row("pg_dump | gzip, and a cursor | gzip", &dumped);
    row("POST to complete", &exported);
    let speed = |samples: &Samples| format!("{:.0} MiB/s", mib(users + messages) / samples.p50().as_secs_f64());
    report.at_most_times("export of 1 GiB, p50", dumped.p50(), exported.p50(), GOAL);
    report.without_goal("export of 1 GiB, speed", &speed(&dumped), &speed(&exported));
    let peak = platform.provisioning().await?.peak_resident_kib()? / 1024;
    let goal = format!("<= {MEMORY_GOAL_MIB} MiB");
    report.condition("export of 1 GiB, resident memory", &goal, &format!("{peak} MiB"), peak <= MEMORY_GOAL_MIB);
    Ok(())
}

/// Duration from the request to the complete export.
async fn export(platform: &BenchPlatform, function: &Function, tenant: Uuid) -> Result<Duration> {
    let begun = Instant::now();
    let request = event(
        &platform.token,
        "POST",
        &format!("/tenants/{tenant}/exports"),
        "",
        Some(&json!({ "reason": "Measures the export" })),
    );
    let export: Value = serde_json::from_str(&body(&function.invoke(request).await?, 202)?)?;
    let id: Uuid = export["id"].as_str().ok_or("the export has no id")?.parse()?;
    let database = platform.stores.connect_owner().await?;
    let state = "SELECT e.finished_at IS NOT NULL, o.status FROM exports e JOIN operations o ON o.id = e.operation_id WHERE e.id = $1";
    loop {
        let row = database.query_one(state, &[&id]).await?;
        let (complete, status): (bool, String) = (row.try_get(0)?, row.try_get(1)?);
        if complete {
            return Ok(begun.elapsed());
        }
        if status == "failed" || begun.elapsed() > EXPORT_TIMEOUT {
            return Err(format!(
                "the export is {status} after {:?}: see .local/log/bench-provision-tenant.log",
                begun.elapsed()
            )
            .into());
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn dump_postgres(platform: &BenchPlatform, database: &str) -> Result<()> {
    let url = postgres_database(platform.stores.owner.url.expose_secret(), database)?;
    let (url, password) = without_password(&url)?;
    let mut gzip = gzip()?;
    let mut dump = Command::new("pg_dump")
        .arg("--dbname")
        .arg(url)
        .env("PGPASSWORD", password)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("pg_dump cannot be run: {error}"))?;
    let mut output = dump.stdout.take().ok_or("pg_dump has no output")?;
    let mut input = gzip.stdin.take().ok_or("gzip has no input")?;
    tokio::io::copy(&mut output, &mut input).await?;
    drop(input);
    succeeded(&mut dump).await?;
    succeeded(&mut gzip).await
}

async fn dump_mongo(platform: &BenchPlatform, database: &str) -> Result<()> {
    let database = platform.stores.mongo.database(database);
    let mut gzip = gzip()?;
    let mut input = gzip.stdin.take().ok_or("gzip has no input")?;
    for name in database.list_collection_names().await? {
        let collection = database.collection::<bson::RawDocumentBuf>(&name);
        let mut documents = collection.find(bson::Document::new()).await?;
        while let Some(document) = documents.try_next().await? {
            input.write_all(document.as_bytes()).await?;
        }
    }
    drop(input);
    succeeded(&mut gzip).await
}

fn gzip() -> Result<Child> {
    let gzip = Command::new("gzip").stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true).spawn();
    gzip.map_err(|error| format!("gzip cannot be run: {error}").into())
}

async fn succeeded(process: &mut Child) -> Result<()> {
    let status = process.wait().await?;
    if status.success() { Ok(()) } else { Err(format!("a dump failed: {status}").into()) }
}

/// For printing, where the lost digits do not matter.
#[expect(clippy::cast_precision_loss, reason = "a size in bytes is far below 2^52")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
