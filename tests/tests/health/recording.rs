//! The schedule's reports are recorded once; the state of a component changes when two of three samples agree, and each change
//! is one event.

use std::time::Duration;

use check_health::{App, record};
use futures::future::try_join_all;
use serde_json::{Value, json};
use shared::{
    auth::TokenVerifier,
    clients::postgres::Postgres,
    config::{FromEnv, TokenConfig},
    health::{
        Component, ComponentStatus,
        checks::{Freshness, HealthChecker, HealthReport, RecordedHealth, Recorder},
    },
    super_admins::AuthContext,
    worker::{Deadline, Invocation, Trigger},
};
use tests::proxy::Mode;
use time::OffsetDateTime;

use crate::stage::HealthStage;

/// Makes real reports, each dated to a given minute.
pub(crate) struct Clock<'a> {
    stage: &'a HealthStage,
    checker: HealthChecker,
    recorder: Recorder,
    begun: OffsetDateTime,
}

impl<'a> Clock<'a> {
    pub(crate) fn of(stage: &'a HealthStage) -> Self {
        let recorder = recorder(stage);
        // In the past, so that every sample of a test has a minute of its own.
        let begun = OffsetDateTime::now_utc() - Duration::from_hours(2);
        Self { stage, checker: HealthChecker::connect(&stage.targets).unwrap(), recorder, begun }
    }

    /// A report of now, dated to the given minute.
    pub(crate) async fn report(&self, minute: u64) -> HealthReport {
        let report = self.checker.report(Freshness::Live).await.unwrap();
        HealthReport { checked_at: self.begun + Duration::from_mins(minute), ..(*report).clone() }
    }

    /// Makes a report and records it.
    pub(crate) async fn sample(&self, minute: u64) {
        self.recorder.record(&self.report(minute).await).await.unwrap();
    }

    /// Like [`Self::sample`], while Redis is cut off.
    async fn sample_without_redis(&self, minute: u64) {
        self.stage.set(Component::Redis, Mode::Cut);
        self.sample(minute).await;
        self.stage.set(Component::Redis, Mode::Pass);
    }
}

pub(crate) fn recorder(stage: &HealthStage) -> Recorder {
    let platform = Postgres::connect(&stage.targets.postgres).unwrap();
    Recorder::connect(platform, &stage.targets.redis, &stage.targets.redis_prefix).unwrap()
}

/// The health events in the outbox, in order: component, from, to.
async fn events(stage: &HealthStage) -> Vec<(String, String, String)> {
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

async fn state(stage: &HealthStage, component: Component) -> ComponentStatus {
    let query = "SELECT state FROM health_states WHERE component = $1";
    let row = stage.world.client().await.query_one(query, &[&component.as_str()]).await.unwrap();
    row.get::<_, &str>(0).parse().unwrap()
}

fn changed(component: &str, from: &str, to: &str) -> (String, String, String) {
    (component.to_owned(), from.to_owned(), to.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_sample_changes_nothing_and_two_of_three_change_the_state_once() {
    let stage = HealthStage::new().await;
    let clock = Clock::of(&stage);
    for minute in 0..3 {
        clock.sample(minute).await;
    }
    clock.sample_without_redis(3).await;
    for minute in 4..7 {
        clock.sample(minute).await;
    }
    assert_eq!(events(&stage).await, []);
    assert_eq!(state(&stage, Component::Redis).await, ComponentStatus::Up);
    assert_eq!(stage.world.count("SELECT FROM health_samples WHERE component = 'redis' AND down = 1").await, 1);

    clock.sample_without_redis(7).await;
    clock.sample_without_redis(8).await;
    let mut changes = events(&stage).await;
    changes.sort();
    assert_eq!(changes, [changed("redis", "up", "down"), changed("system", "up", "down")]);
    assert_eq!(state(&stage, Component::Redis).await, ComponentStatus::Down);
    assert_eq!(state(&stage, Component::PostgreSql).await, ComponentStatus::Up);
    clock.sample_without_redis(9).await;
    assert_eq!(events(&stage).await.len(), 2);
    clock.sample(10).await;
    clock.sample(11).await;
    let changes = events(&stage).await;
    assert_eq!(changes.len(), 4);
    assert!(changes.contains(&changed("redis", "down", "up")) && changes.contains(&changed("system", "down", "up")));
    let reason = "SELECT FROM health_changes WHERE component = 'redis' AND to_state = 'down' AND error IS NOT NULL";
    assert_eq!(stage.world.count(reason).await, 1);
    // A component that is not configured has no history.
    let others = "SELECT FROM health_samples WHERE component IN ('ai-agent', 'whatsapp')";
    assert_eq!(stage.world.count(others).await, 0);
    assert_eq!(stage.world.count("SELECT FROM health_samples WHERE component = 'system'").await, 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flapping_component_changes_its_state_when_two_of_three_samples_agree() {
    let stage = HealthStage::new().await;
    let clock = Clock::of(&stage);
    clock.sample(0).await;
    clock.sample(1).await;
    // Down, up, down: two of three. Then up, down, up: two of three again.
    for minute in 2..8 {
        if minute % 2 == 0 { clock.sample_without_redis(minute).await } else { clock.sample(minute).await }
    }
    let changes: Vec<_> = events(&stage).await.into_iter().filter(|(component, ..)| component == "redis").collect();
    let (down, up) = (changed("redis", "up", "down"), changed("redis", "down", "up"));
    assert_eq!(changes, [down.clone(), up.clone(), down, up]);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_runs_record_each_minute_once_and_each_change_causes_one_event() {
    let stage = HealthStage::new().await;
    let clock = Clock::of(&stage);
    clock.sample(0).await;
    stage.set(Component::Redis, Mode::Cut);
    let (second, third) = (clock.report(1).await, clock.report(2).await);
    stage.set(Component::Redis, Mode::Pass);
    let recorders: Vec<_> = (0..8).map(|_| recorder(&stage)).collect();
    // Many runs record the same minute, like a schedule that fires twice: one sample, so no change.
    try_join_all(recorders.iter().map(|recorder| recorder.record(&second))).await.unwrap();
    assert_eq!(stage.world.count("SELECT FROM health_samples WHERE component = 'redis'").await, 2);
    assert_eq!(events(&stage).await, []);
    try_join_all(recorders.iter().map(|recorder| recorder.record(&third))).await.unwrap();
    let mut changes = events(&stage).await;
    changes.sort();
    assert_eq!(changes, [changed("redis", "up", "down"), changed("system", "up", "down")]);
    assert_eq!(stage.world.count("SELECT FROM health_changes").await, 2);
    assert_eq!(stage.world.count("SELECT FROM health_samples WHERE component = 'redis'").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_of_a_postgresql_outage_are_recorded_when_it_is_over() {
    let stage = HealthStage::new().await;
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
    // The change is recorded late, but with its own time.
    assert!(events(&stage).await.contains(&changed("postgresql", "up", "down")));
    let change = "SELECT at FROM health_changes WHERE component = 'postgresql'";
    let at: OffsetDateTime = stage.world.client().await.query_one(change, &[]).await.unwrap().get(0);
    assert!((at - (clock.begun + Duration::from_mins(2))).abs() < Duration::from_mins(1), "{at}");
    // The backlog is empty, and nothing is recorded twice.
    clock.sample(5).await;
    assert_eq!(stage.world.count(samples).await, 6);
}

/// Invokes the function as its schedule does.
async fn scheduled(app: &App) -> shared::error::Result<RecordedHealth> {
    record(
        app,
        Invocation {
            trigger: Trigger::Event(serde_json::Value::Null),
            deadline: Deadline::after(Duration::from_secs(15)),
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_makes_a_report_and_records_every_known_component() {
    let stage = HealthStage::new().await;
    let auth = AuthContext {
        platform: stage.world.api_pool(),
        verifier: TokenVerifier::new(&TokenConfig::from_env().unwrap()).unwrap(),
    };
    let app = App::new(&stage.targets, auth).unwrap();
    let recorded = scheduled(&app).await.unwrap();
    assert_eq!((recorded.samples, recorded.changes), (7, 0), "{recorded:?}");
    // Requests now get its report, and not one of their own.
    stage.set(Component::MongoDb, Mode::Cut);
    let latest = stage.api.get("/health").await;
    assert_eq!(latest.json["status"], "healthy", "{}", latest.text);
    let sampled = "SELECT at FROM health_samples WHERE component = 'system'";
    let at: OffsetDateTime = stage.world.client().await.query_one(sampled, &[]).await.unwrap().get(0);
    let checked: OffsetDateTime = OffsetDateTime::parse(
        latest.json["checked_at"].as_str().unwrap(),
        &time::format_description::well_known::Rfc3339,
    )
    .unwrap();
    assert!((Duration::ZERO..Duration::from_mins(1)).contains(&(checked - at).unsigned_abs()), "{checked} {at}");
    // Another run records nothing in the same minute, and everything in the next one.
    let again = scheduled(&app).await.unwrap().samples;
    let minutes = stage.world.count("SELECT DISTINCT date_trunc('minute', at) FROM health_samples").await;
    assert_eq!(again, if minutes == 1 { 0 } else { 7 });
    assert_eq!(stage.world.count("SELECT FROM health_samples").await, 7 * minutes);
}
