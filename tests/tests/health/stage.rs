//! A world whose stores are behind proxies, and the API that looks at them.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::Value;
use shared::{
    config::{Clusters, KafkaConfig, PostgresConfig, RedisConfig},
    health::{Component, Endpoints, Sources},
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

/// How long a probe may take here: many tests at once on a small machine are slower than a function may ever be.
pub(crate) const LIMIT: Duration = Duration::from_millis(1500);

/// What there may be between the deadline and the answer here.
pub(crate) const MARGIN: Duration = Duration::from_millis(400);

/// A world, and its API.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) sources: Sources,
    pub(crate) api: Api,
    proxies: Vec<Proxy>,
}

impl Stage {
    /// With every store behind a proxy.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With a change to what is looked at.
    pub(crate) async fn with(change: impl FnOnce(&mut Sources)) -> Self {
        let world = World::new().await;
        let (mut sources, proxies) = behind_proxies(&world).await;
        sources.health.probe_timeout = LIMIT;
        change(&mut sources);
        let api = api(&world, &sources).await;
        Self { world, sources, api, proxies }
    }

    /// An API in another process, as it were: of the same world, with connections of its own.
    pub(crate) async fn another(&self) -> Api {
        api(&self.world, &self.sources).await
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

    /// The report as it is now, and how long it took.
    pub(crate) async fn live(&self) -> (Answer, Duration) {
        let begun = Instant::now();
        let answer = self.api.get("/health?live=true").await;
        (answer, begun.elapsed())
    }

    /// All is well, now.
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

async fn api(world: &World, sources: &Sources) -> Api {
    Api::with(&Parts { health: sources.clone(), ..Parts::of(world) }).await
}

async fn behind_proxies(world: &World) -> (Sources, Vec<Proxy>) {
    let direct = world.health();
    let (postgres, postgres_url) = Proxy::before(&direct.postgres.url).await;
    let (mongo, mongo_url) = Proxy::before(&direct.mongo_clusters.0[0].url).await;
    let (redis, redis_url) = Proxy::before(&direct.redis.url).await;
    let kafka = Proxy::to_kafka(&direct.kafka.brokers).await;
    let s3 = Proxy::to(variable("AWS_ENDPOINT_URL_S3").trim_start_matches("http://")).await;
    let sqs = Proxy::to(variable("AWS_ENDPOINT_URL_SQS").trim_start_matches("http://")).await;
    // Otherwise the driver goes where the replica set says that it is.
    let mongo_url = mongo_url.expose_secret().replace("replicaSet=rs0", "directConnection=true");
    let sources = Sources {
        postgres: PostgresConfig { url: postgres_url.clone(), ..direct.postgres },
        postgres_clusters: Clusters::single(postgres_url),
        mongo_clusters: Clusters::single(mongo_url),
        redis: RedisConfig { url: redis_url, ..direct.redis },
        kafka: KafkaConfig { brokers: kafka.address.clone(), ..direct.kafka },
        endpoints: Endpoints {
            s3: Some(format!("http://{}", s3.address)),
            sqs: Some(format!("http://{}", sqs.address)),
        },
        ..direct
    };
    (sources, vec![postgres, mongo, redis, kafka, s3, sqs])
}
