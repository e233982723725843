//! The health report: the newest sample, and live, with everything up and while one store hangs.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{head, heading, row};
use crate::{
    Result,
    report::Report,
    request::{body, event},
    runtime::{Answer, Function},
    samples::{Samples, ms},
    socket::Silent,
    world::World,
};

const ROUNDS: usize = 1000;
const WARM_UP: usize = 50;
const LIVE_ROUNDS: usize = 40;
/// How often it is asked while a store hangs.
const HANGING_ROUNDS: usize = 8;
/// How long the slowest of a hundred may take that is told the newest sample.
const SAMPLE: Duration = Duration::from_millis(10);
/// How long each probe may take, and how much longer all of them.
const DEADLINE: Duration = Duration::from_secs(1);
const MORE: Duration = Duration::from_millis(50);

/// A store by its name in the report, and the variable that says where it is, as it is for a socket's address.
type Store = (&'static str, &'static str, fn(&str) -> String);

/// The stores.
const STORES: [Store; 6] = [
    ("postgresql", "POSTGRES_URL", |address| format!("postgres://bench:bench@{address}/bench")),
    ("mongodb", "MONGODB_URL", |address| format!("mongodb://bench:bench@{address}/?replicaSet=rs0")),
    ("redis", "REDIS_URL", |address| format!("redis://default:bench@{address}/15")),
    ("kafka", "KAFKA_BROKERS", ToOwned::to_owned),
    ("minio", "AWS_ENDPOINT_URL_S3", |address| format!("http://{address}")),
    ("sqs", "AWS_ENDPOINT_URL_SQS", |address| format!("http://{address}")),
];

/// The newest sample, then live.
pub(crate) async fn measure(world: &World, report: &mut Report) -> Result<()> {
    heading("GET of the health report");
    let bare = Function::start(&world.program("floor-bare"), 1).await?;
    let ours = Function::start(&world.program("check-health"), 1).await?;
    let live = event(&world.token, "GET", "/health", "live=true", None);
    let mut probed = Samples::default();
    for _ in 0..LIVE_ROUNDS {
        let answer = ours.invoke(live.clone()).await?;
        found(&answer, None)?;
        probed.push(answer.took);
    }
    let sample = event(&world.token, "GET", "/health", "max_age=3600", None);
    let (mut fetched, mut constant, mut told) = (Samples::default(), Samples::default(), Samples::default());
    for round in 0..WARM_UP + ROUNDS {
        let begun = Instant::now();
        let mut get = redis::cmd("GET");
        let newest: Option<String> =
            world.redis.query(get.arg("health:latest")).await.map_err(|error| error.chain())?;
        let took = begun.elapsed();
        newest.ok_or("there is no newest sample")?;
        let answered = bare.invoke(sample.clone()).await?;
        body(&answered, 200)?;
        let answer = ours.invoke(sample.clone()).await?;
        found(&answer, None)?;
        if round >= WARM_UP {
            fetched.push(took);
            constant.push(answered.took);
            told.push(answer.took);
        }
    }
    head();
    row("the newest sample from Redis", &fetched);
    row("a bare function", &constant);
    row("check-health, the newest sample", &told);
    row("check-health, live", &probed);
    report.at_most("health, the newest sample, p99", Some(fetched.p99() + constant.p99()), told.p99(), SAMPLE);
    report.seen("health, live, p50", "", &ms(probed.p50()));
    drop(ours);
    for store in STORES {
        hanging(world, store, report).await?;
    }
    Ok(())
}

/// Live, while a store takes connections and never answers. The first is cold; so is what a load balancer may meet.
async fn hanging(world: &World, (store, variable, url): Store, report: &mut Report) -> Result<()> {
    let silent = Silent::open().await?;
    let mut program = world.program("check-health");
    program.variables.retain(|(name, _)| *name != variable);
    program.variables.push((variable, url(&silent.address)));
    program.variables.push(("HEALTH_PROBE_TIMEOUT_MS", DEADLINE.as_millis().to_string()));
    let ours = Function::start(&program, 1).await?;
    let live = event(&world.token, "GET", "/health", "live=true", None);
    let mut probed = Samples::default();
    for _ in 0..HANGING_ROUNDS {
        let answer = ours.invoke(live.clone()).await?;
        found(&answer, Some(store))?;
        probed.push(answer.took);
    }
    row(&format!("live, {store} hangs"), &probed);
    report.at_most(&format!("health, live, {store} hangs, max"), Some(DEADLINE), probed.max(), DEADLINE + MORE);
    Ok(())
}

/// Makes sure that exactly this store is down, and the status code says so.
fn found(answer: &Answer, down: Option<&str>) -> Result<()> {
    let report: Value = serde_json::from_str(&body(answer, if down.is_some() { 503 } else { 200 })?)?;
    for (store, ..) in STORES {
        let status = report["infrastructure"][store]["status"].as_str().unwrap_or("missing");
        if (status == "down") != (down == Some(store)) || status == "missing" {
            return Err(format!("{store} is said to be {status}: {report}").into());
        }
    }
    Ok(())
}
