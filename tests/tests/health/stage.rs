//! A world whose stores are behind proxies, and an API that probes them.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::Value;
use shared::{
    config::{Clusters, PostgresConfig, RedisConfig},
    health::{
        Component,
        checks::{AwsEndpoints, HealthTargets},
    },
};
use tests::{
    Answer, Api, World,
    api::Parts,
    proxy::{Mode, Proxy},
    variable,
};

/// The stores and queues, in the order of the report.
pub(crate) const STORES: [Component; 6] =
    [Component::PostgreSql, Component::MongoDb, Component::Redis, Component::Kafka, Component::Minio, Component::Sqs];

/// The timeout of a probe in the tests. Longer than in production, because many tests run at once on a small machine.
pub(crate) const LIMIT: Duration = Duration::from_millis(1500);

/// The greatest time between the deadline and the response in the tests.
pub(crate) const MARGIN: Duration = Duration::from_millis(400);

/// A world, and its API.
pub(crate) struct HealthStage {
    pub(crate) world: World,
    pub(crate) targets: HealthTargets,
    pub(crate) api: Api,
    proxies: Vec<Proxy>,
}

impl HealthStage {
    /// With every store behind a proxy.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With a change of the targets.
    pub(crate) async fn with(change: impl FnOnce(&mut HealthTargets)) -> Self {
        let world = World::new().await;
        let (mut targets, proxies) = behind_proxies(&world).await;
        targets.health.probe_timeout = LIMIT;
        change(&mut targets);
        let api = api(&world, &targets).await;
        Self { world, targets, api, proxies }
    }

    /// An API that stands for another process: of the same world, with connections of its own.
    pub(crate) async fn another(&self) -> Api {
        api(&self.world, &self.targets).await
    }

    pub(crate) fn set(&self, store: Component, mode: Mode) {
        let place = STORES.iter().position(|component| *component == store).unwrap();
        self.proxies[place].set(mode);
    }

    pub(crate) fn set_all(&self, mode: Mode) {
        for proxy in &self.proxies {
            proxy.set(mode);
        }
    }

    /// A new report, and how long it took.
    pub(crate) async fn live(&self) -> (Answer, Duration) {
        let begun = Instant::now();
        let answer = self.api.get("/health?live=true").await;
        (answer, begun.elapsed())
    }

    /// Asserts that a new report is healthy and in time.
    pub(crate) async fn assert_healthy(&self) {
        let (answer, took) = self.live().await;
        assert_eq!(
            (answer.status, &answer.json["status"]),
            (StatusCode::OK, &Value::from("healthy")),
            "{}",
            answer.text
        );
        assert!(took < LIMIT, "{took:?}: {}", answer.text);
    }
}

async fn api(world: &World, targets: &HealthTargets) -> Api {
    Api::with(&Parts { health: targets.clone(), ..Parts::of(world) }).await
}

async fn behind_proxies(world: &World) -> (HealthTargets, Vec<Proxy>) {
    let direct = world.health();
    let (postgres, postgres_url) = Proxy::before(&direct.postgres.url).await;
    let (mongo, mongo_url) = Proxy::before(&direct.mongo_clusters.0[0].url).await;
    let (redis, redis_url) = Proxy::before(&direct.redis.url).await;
    let (kafka, kafka_config) = Proxy::before_kafka(&direct.kafka).await;
    let s3 = Proxy::to(variable("AWS_ENDPOINT_URL_S3").trim_start_matches("https://")).await;
    let sqs = Proxy::to(variable("AWS_ENDPOINT_URL_SQS").trim_start_matches("http://")).await;
    // Otherwise the driver connects to the addresses that the replica set reports.
    let mongo_url = mongo_url.expose_secret().replace("replicaSet=rs0", "directConnection=true");
    let targets = HealthTargets {
        postgres: PostgresConfig { url: postgres_url.clone(), ..direct.postgres },
        postgres_clusters: Clusters::single(postgres_url),
        mongo_clusters: Clusters::single(mongo_url),
        redis: RedisConfig { url: redis_url, ..direct.redis },
        kafka: kafka_config,
        endpoints: AwsEndpoints {
            s3: Some(format!("https://{}", s3.address)),
            sqs: Some(format!("http://{}", sqs.address)),
        },
        ..direct
    };
    (targets, vec![postgres, mongo, redis, kafka, s3, sqs])
}
