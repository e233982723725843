//! GET of the health report: the latest sample; and live, with every store up and while one store hangs.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{
    benchmarks::table::{head, heading, row},
    error::Result,
    measure::{
        request::{body, event},
        runtime::{Function, InvocationResult},
        samples::{Samples, ms},
        socket::SilentServer,
    },
    platform::instance::BenchPlatform,
    report::BenchReport,
};

const ROUNDS: usize = 1000;
const WARM_UP: usize = 50;
const LIVE_ROUNDS: usize = 40;
/// Live reports while a store hangs.
const HANGING_ROUNDS: usize = 8;
/// p99 of the latest sample.
const SAMPLE_GOAL: Duration = Duration::from_millis(10);
/// The time limit of a probe, and how much longer a report with all probes may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
const BEYOND_TIMEOUT: Duration = Duration::from_millis(50);

/// A store's name in the report, the variable that configures it, and the value of that variable for a socket address.
type StoreVariable = (&'static str, &'static str, fn(&str) -> String);

const STORES: [StoreVariable; 6] = [
    ("postgresql", "POSTGRES_URL", |address| format!("postgres://bench:bench@{address}/bench")),
    ("mongodb", "MONGODB_URL", |address| format!("mongodb://bench:bench@{address}/?replicaSet=rs0")),
    ("redis", "REDIS_URL", |address| format!("redis://default:bench@{address}/15")),
    ("kafka", "KAFKA_BROKERS", ToOwned::to_owned),
    ("minio", "AWS_ENDPOINT_URL_S3", |address| format!("http://{address}")),
    ("sqs", "AWS_ENDPOINT_URL_SQS", |address| format!("http://{address}")),
];

pub(crate) async fn measure(platform: &BenchPlatform, report: &mut BenchReport) -> Result<()> {
    heading("GET of the health report");
    let bare = Function::start(&platform.program("floor-bare"), 1).await?;
    let function = Function::start(&platform.program("check-health"), 1).await?;
    let live = event(&platform.token, "GET", "/health", "live=true", None);
    let mut probed = Samples::default();
    for _ in 0..LIVE_ROUNDS {
        let result = function.invoke(live.clone()).await?;
        check_report(&result, None)?;
        probed.push(result.took);
    }
    let latest = event(&platform.token, "GET", "/health", "max_age=3600", None);
    let (mut fetched, mut constant, mut sampled) = (Samples::default(), Samples::default(), Samples::default());
    for round in 0..WARM_UP + ROUNDS {
        let begun = Instant::now();
        let mut get = redis::cmd("GET");
        let sample: Option<String> =
            platform.stores.redis.query(get.arg("health:latest")).await.map_err(|error| error.chain())?;
        let took = begun.elapsed();
        sample.ok_or("Redis contains no sample")?;
        let bare = bare.invoke(latest.clone()).await?;
        body(&bare, 200)?;
        let result = function.invoke(latest.clone()).await?;
        check_report(&result, None)?;
        if round >= WARM_UP {
            fetched.push(took);
            constant.push(bare.took);
            sampled.push(result.took);
        }
    }
    head();
    row("latest sample from Redis", &fetched);
    row("a bare function", &constant);
    row("check-health, latest sample", &sampled);
    row("check-health, live", &probed);
    report.at_most("health, latest sample, p99", Some(fetched.p99() + constant.p99()), sampled.p99(), SAMPLE_GOAL);
    report.without_goal("health, live, p50", "", &ms(probed.p50()));
    drop(function);
    for store in STORES {
        measure_hanging(platform, store, report).await?;
    }
    Ok(())
}

/// Measures live reports while a store accepts connections and never responds. The first invocation is cold and counts,
/// because a load balancer may reach a cold function.
async fn measure_hanging(
    platform: &BenchPlatform,
    (store, variable, url): StoreVariable,
    report: &mut BenchReport,
) -> Result<()> {
    let silent = SilentServer::open().await?;
    let mut program = platform.program("check-health");
    program.variables.retain(|(name, _)| *name != variable);
    program.variables.push((variable, url(&silent.address)));
    // It speaks nothing at all.
    program.variables.push(("PLAINTEXT_ALLOWED", variable.to_owned()));
    program.variables.push(("HEALTH_PROBE_TIMEOUT_MS", PROBE_TIMEOUT.as_millis().to_string()));
    let function = Function::start(&program, 1).await?;
    let live = event(&platform.token, "GET", "/health", "live=true", None);
    let mut probed = Samples::default();
    for _ in 0..HANGING_ROUNDS {
        let result = function.invoke(live.clone()).await?;
        check_report(&result, Some(store))?;
        probed.push(result.took);
    }
    row(&format!("live, {store} hangs"), &probed);
    let figure = format!("health, live, {store} hangs, max");
    report.at_most(&figure, Some(PROBE_TIMEOUT), probed.max(), PROBE_TIMEOUT + BEYOND_TIMEOUT);
    Ok(())
}

/// Checks that exactly this store is down, and that the status code matches.
fn check_report(result: &InvocationResult, down: Option<&str>) -> Result<()> {
    let report: Value = serde_json::from_str(&body(result, if down.is_some() { 503 } else { 200 })?)?;
    for (store, ..) in STORES {
        let status = report["infrastructure"][store]["status"].as_str().unwrap_or("missing");
        if (status == "down") != (down == Some(store)) || status == "missing" {
            return Err(format!("the status of {store} is {status}: {report}").into());
        }
    }
    Ok(())
}
