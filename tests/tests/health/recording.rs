//! What the schedule finds is written down, once; a component stands elsewhere when two of three samples say so, and then
//! one event tells it.

use std::time::Duration;

use check_health::{App, record};
use futures::future::try_join_all;
use serde_json::{Value, json};
use shared::{
    auth::TokenVerifier,
    clients::postgres::Postgres,
    config::{FromEnv, TokenConfig},
    health::Recorded,
    health::{Component, Condition, Freshness, Health, HealthReport, Recorder},
    super_admins::AuthContext,
    worker::{Deadline, Invocation, Trigger},
};
use tests::proxy::Mode;
use time::OffsetDateTime;

use crate::stage::Stage;

/// Real reports, each as if it had been made so many minutes after a beginning.
pub(crate) struct Clock<'a> {
    stage: &'a Stage,
    health: Health,
    recorder: Recorder,
    begun: OffsetDateTime,
}

impl<'a> Clock<'a> {
    pub(crate) fn of(stage: &'a Stage) -> Self {
        let recorder = recorder(stage);
        // Within a minute, so that the samples of a test are each in one of their own.
        let begun = OffsetDateTime::now_utc() - Duration::from_hours(2);
        Self { stage, health: Health::connect(&stage.sources).unwrap(), recorder, begun }
    }

    /// A report of now, made in the given minute.
    pub(crate) async fn report(&self, minute: u64) -> HealthReport {
        let report = self.health.report(Freshness::Live).await.unwrap();
        HealthReport { checked_at: self.begun + Duration::from_mins(minute), ..(*report).clone() }
    }

    /// Looks, and writes down what was found.
    pub(crate) async fn sample(&self, minute: u64) {
        self.recorder.record(&self.report(minute).await).await.unwrap();
    }

    /// As [`Self::sample`], while Redis is cut off.
    async fn sample_without_redis(&self, minute: u64) {
        self.stage.set(Component::Redis, Mode::Cut);
        self.sample(minute).await;
        self.stage.set(Component::Redis, Mode::Pass);
    }
}

pub(crate) fn recorder(stage: &Stage) -> Recorder {
    let platform = Postgres::connect(&stage.sources.postgres).unwrap();
    Recorder::connect(platform, &stage.sources.redis, &stage.sources.redis_prefix).unwrap()
}

/// The events of health that are owed, in order: component, from, to.
async fn events(stage: &Stage) -> Vec<(String, String, String)> {
    let query = "SELECT key, payload FROM outbox WHERE destination = 'event' ORDER BY id";
    let rows = stage.world.client().await.query(query, &[]).await.unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| {
            let (key, payload): (String, Value) = (row.get(0), row.get(1));
            assert_eq!((&payload["type"], &payload["subject"]), (&json!("health.changed"), &json!(key)));
            (text(&payload["data"]["component"]), text(&payload["data"]["from"]), text(&payload["data"]["to"]))
        })
        .collect()
}

async fn state(stage: &Stage, component: Component) -> Condition {
    let query = "SELECT state FROM health_states WHERE component = $1";
    let row = stage.world.client().await.query_one(query, &[&component.as_str()]).await.unwrap();
    row.get::<_, &str>(0).parse().unwrap()
}

fn changed(component: &str, from: &str, to: &str) -> (String, String, String) {
    (component.to_owned(), from.to_owned(), to.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_sample_changes_nothing_and_two_of_three_do_once() {
    let stage = Stage::new().await;
    let clock = Clock::of(&stage);
    for minute in 0..3 {
        clock.sample(minute).await;
    }
    clock.sample_without_redis(3).await;
    for minute in 4..7 {
        clock.sample(minute).await;
    }
    assert_eq!(events(&stage).await, []);
    assert_eq!(state(&stage, Component::Redis).await, Condition::Up);
    assert_eq!(stage.world.count("SELECT FROM health_samples WHERE component = 'redis' AND down = 1").await, 1);

    clock.sample_without_redis(7).await;
    clock.sample_without_redis(8).await;
    let mut told = events(&stage).await;
    told.sort();
    assert_eq!(told, [changed("redis", "up", "down"), changed("system", "up", "down")]);
    assert_eq!(state(&stage, Component::Redis).await, Condition::Down);
    assert_eq!(state(&stage, Component::PostgreSql).await, Condition::Up);
    clock.sample_without_redis(9).await;
    assert_eq!(events(&stage).await.len(), 2);
    clock.sample(10).await;
    clock.sample(11).await;
    let told = events(&stage).await;
    assert_eq!(told.len(), 4);
    assert!(told.contains(&changed("redis", "down", "up")) && told.contains(&changed("system", "down", "up")));
    let reason = "SELECT FROM health_changes WHERE component = 'redis' AND to_state = 'down' AND error IS NOT NULL";
    assert_eq!(stage.world.count(reason).await, 1);
    // What is not configured has no history.
    let others = "SELECT FROM health_samples WHERE component IN ('ai-agent', 'whatsapp')";
    assert_eq!(stage.world.count(others).await, 0);
    assert_eq!(stage.world.count("SELECT FROM health_samples WHERE component = 'system'").await, 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn flapping_is_told_when_it_settles_for_two_of_three() {
    let stage = Stage::new().await;
    let clock = Clock::of(&stage);
    clock.sample(0).await;
    clock.sample(1).await;
    // Down, up, down: two of three. Then up, down, up: two of three again.
    for minute in 2..8 {
        if minute % 2 == 0 { clock.sample_without_redis(minute).await } else { clock.sample(minute).await }
    }
    let told: Vec<_> = events(&stage).await.into_iter().filter(|(component, ..)| component == "redis").collect();
    let (down, up) = (changed("redis", "up", "down"), changed("redis", "down", "up"));
    assert_eq!(told, [down.clone(), up.clone(), down, up]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_runs_at_once_each_minute_counts_once_and_each_change_is_told_once() {
    let stage = Stage::new().await;
    let clock = Clock::of(&stage);
    clock.sample(0).await;
    stage.set(Component::Redis, Mode::Cut);
    let (second, third) = (clock.report(1).await, clock.report(2).await);
    stage.set(Component::Redis, Mode::Pass);
    let recorders: Vec<_> = (0..8).map(|_| recorder(&stage)).collect();
    // The same minute by many, as a schedule that fires twice has it: one sample, so no change.
    try_join_all(recorders.iter().map(|recorder| recorder.record(&second))).await.unwrap();
    assert_eq!(stage.world.count("SELECT FROM health_samples WHERE component = 'redis'").await, 2);
    assert_eq!(events(&stage).await, []);
    try_join_all(recorders.iter().map(|recorder| recorder.record(&third))).await.unwrap();
    let mut told = events(&stage).await;
    told.sort();
    assert_eq!(told, [changed("redis", "up", "down"), changed("system", "up", "down")]);
    assert_eq!(stage.world.count("SELECT FROM health_changes").await, 2);
    assert_eq!(stage.world.count("SELECT FROM health_samples WHERE component = 'redis'").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_while_postgresql_was_down_is_written_down_when_it_is_back() {
    let stage = Stage::new().await;
    let clock = Clock::of(&stage);
    clock.sample(0).await;
    for (minute, mode) in [(1, Mode::Cut), (2, Mode::Cut), (3, Mode::Hang)] {
        stage.set(Component::PostgreSql, mode);
        let report = clock.report(minute).await;
        let error = clock.recorder.record(&report).await.unwrap_err();
        assert!(error.is_transient(), "{mode:?}: {error:?}");
    }
    stage.set(Component::PostgreSql, Mode::Pass);
    assert_eq!(stage.world.count("SELECT FROM health_samples WHERE component = 'postgresql'").await, 1);
    clock.sample(4).await;
    let samples = "SELECT FROM health_samples WHERE component = 'postgresql'";
    assert_eq!(stage.world.count(samples).await, 5);
    assert_eq!(stage.world.count(&format!("{samples} AND down = 1")).await, 3);
    // The change is told as late as it may be, and with its own time.
    assert!(events(&stage).await.contains(&changed("postgresql", "up", "down")));
    let change = "SELECT at FROM health_changes WHERE component = 'postgresql'";
    let at: OffsetDateTime = stage.world.client().await.query_one(change, &[]).await.unwrap().get(0);
    assert!((at - (clock.begun + Duration::from_mins(2))).abs() < Duration::from_mins(1), "{at}");
    // Nothing waits any more, and nothing is written twice.
    clock.sample(5).await;
    assert_eq!(stage.world.count(samples).await, 6);
}

/// Invokes the function as its schedule does.
async fn scheduled(app: &App) -> shared::error::Result<Recorded> {
    record(app, Invocation { trigger: Trigger::Event, deadline: Deadline::after(Duration::from_secs(15)) }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_looks_itself_and_writes_down_every_component_that_is_known() {
    let stage = Stage::new().await;
    let gate = AuthContext {
        platform: stage.world.api_pool(),
        verifier: TokenVerifier::new(&TokenConfig::from_env().unwrap()).unwrap(),
    };
    let app = App::new(&stage.sources, gate).unwrap();
    let recorded = scheduled(&app).await.unwrap();
    assert_eq!((recorded.samples, recorded.changes), (7, 0), "{recorded:?}");
    // What it found is the newest report, for who asks now.
    let newest = stage.api.get("/health").await;
    let sampled = "SELECT at FROM health_samples WHERE component = 'system'";
    let at: OffsetDateTime = stage.world.client().await.query_one(sampled, &[]).await.unwrap().get(0);
    let checked: OffsetDateTime = OffsetDateTime::parse(
        newest.json["checked_at"].as_str().unwrap(),
        &time::format_description::well_known::Rfc3339,
    )
    .unwrap();
    assert!((Duration::ZERO..Duration::from_mins(1)).contains(&(checked - at).unsigned_abs()), "{checked} {at}");
    assert_eq!(scheduled(&app).await.unwrap().samples % 7, 0);
}
