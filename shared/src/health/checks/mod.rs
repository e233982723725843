//! Health: how the platform is, told in time whatever hangs.
//!
//! All probes run at once, each by the same deadline (`probe`); what is not answered by then is down. So a report takes as
//! long as the slowest answer and never longer than the deadline. A probe shares its connection with nobody, and one that
//! did not answer is closed.
//!
//! Reports are shared: a request is content with the newest one while that is fresh, those who come while one is made wait
//! for it (`flight` in this process, `newest` across processes), and the schedule's are written down ([`Recorder`]).

mod flight;
mod integration;
mod kafka;
mod minio;
mod mongodb;
mod newest;
mod platform;
mod postgresql;
mod probe;
mod recorder;
mod redis;
mod report;
mod service;
mod sqs;
mod state;

use std::{sync::Arc, time::Duration};

use crate::health::checks::{
    flight::Flight,
    integration::Word,
    newest::{Maker, Newest, age},
    probe::Deadline,
    service::Web,
};
pub use crate::health::checks::{
    integration::{IntegrationReading, IntegrationStatus, Integrations},
    kafka::KafkaReading,
    mongodb::MongoDbReading,
    postgresql::PostgreSqlReading,
    recorder::{Recorded, Recorder},
    report::{Finding, HealthReport, Infrastructure, Reading, Status},
    service::{ServiceReading, ServiceStatus, Services},
    sqs::{QueueReading, SqsReading},
};
use futures::FutureExt;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::{
    clients::{aws::Attempts, redis::Redis, s3::Bucket, sqs::Sqs},
    config::{
        Clusters, ConfigError, FromEnv, HealthConfig, KafkaConfig, PostgresConfig, QueueConfig, RedisConfig, S3Config,
    },
    error::{Error, Result},
    health::Condition,
    types::{Channel, Service},
};

/// Where everything is that is looked at.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The platform database.
    pub postgres: PostgresConfig,
    /// The PostgreSQL clusters of tenants.
    pub postgres_clusters: Clusters,
    /// The MongoDB clusters of tenants.
    pub mongo_clusters: Clusters,
    /// Redis.
    pub redis: RedisConfig,
    /// Put before every key in Redis. Empty, but where several platforms share one.
    pub redis_prefix: String,
    /// Kafka.
    pub kafka: KafkaConfig,
    /// The bucket of tenants.
    pub s3: S3Config,
    /// The queues.
    pub queues: QueueConfig,
    /// Where S3 and SQS are; unless said, where the SDK's own variables say.
    pub endpoints: Endpoints,
    /// Everything else, and the deadline.
    pub health: HealthConfig,
}

/// Where AWS's services are.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// S3.
    pub s3: Option<String>,
    /// SQS.
    pub sqs: Option<String>,
}

impl FromEnv for Sources {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            postgres: PostgresConfig::from_env()?,
            postgres_clusters: Clusters::postgres_from_env()?,
            mongo_clusters: Clusters::mongo_from_env()?,
            redis: RedisConfig::from_env()?,
            redis_prefix: String::new(),
            kafka: KafkaConfig::from_env()?,
            s3: S3Config::from_env()?,
            queues: QueueConfig::from_env()?,
            endpoints: Endpoints::default(),
            health: HealthConfig::from_env()?,
        })
    }
}

/// How new a report has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Made from now on, or just being made.
    Live,
    /// No older than this.
    Within(Duration),
}

/// Makes reports. Cheap to clone.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    postgresql: postgresql::PostgreSql,
    mongodb: mongodb::MongoDb,
    redis: redis::Redis,
    kafka: kafka::Kafka,
    minio: minio::Minio,
    sqs: sqs::Sqs,
    platform: platform::Platform,
    web: Web,
    newest: Newest,
    flight: Flight<Arc<HealthReport>>,
    config: HealthConfig,
}

impl Health {
    /// Connects to nothing yet.
    pub fn connect(sources: &Sources) -> Result<Self, ConfigError> {
        let limit = sources.health.probe_timeout;
        let postgres = PostgresConfig {
            // One that is kept, and one more when that does not answer.
            pool_size: 2,
            connect_timeout: limit,
            statement_timeout: limit,
            ..sources.postgres.clone()
        };
        let redis = RedisConfig { timeout: limit, ..sources.redis.clone() };
        // A connection that died unseen is made up for by the second attempt.
        let attempts = |endpoint: &Option<String>| Attempts { endpoint: endpoint.clone(), ..Attempts::new(limit, 2) };
        let has_url = |channel| sources.health.providers.iter().any(|(of, _)| *of == channel);
        let silent = Channel::ALL.into_iter().filter(|channel| !has_url(*channel)).collect();
        let queues = [&sources.queues.provision, &sources.queues.relay, &sources.queues.measure];
        Ok(Self(Arc::new(Inner {
            postgresql: postgresql::PostgreSql::new(&postgres, &sources.postgres_clusters)?,
            mongodb: mongodb::MongoDb::new(&sources.mongo_clusters, limit),
            redis: redis::Redis::new(Redis::connect(&redis)?, &sources.redis_prefix, silent),
            kafka: kafka::Kafka::new(sources.kafka.clone(), limit),
            minio: minio::Minio(Bucket::with(&sources.s3, attempts(&sources.endpoints.s3))),
            sqs: sqs::Sqs::new(
                Sqs::with(attempts(&sources.endpoints.sqs)),
                queues.into_iter().flatten().cloned().collect(),
            ),
            platform: platform::Platform::new(&postgres)?,
            web: Web::new(limit),
            newest: Newest::new(&sources.redis, &sources.redis_prefix, limit)?,
            flight: Flight::new(),
            config: sources.health.clone(),
        })))
    }

    /// A report that is new enough, made now if there is none.
    pub async fn report(&self, freshness: Freshness) -> Result<Arc<HealthReport>> {
        let (begun, arrived) = (Instant::now(), OffsetDateTime::now_utc());
        let mut redis_answers = true;
        if let Freshness::Within(limit) = freshness {
            match self.0.newest.find().await {
                Ok(Some(report)) if age(&report) <= limit => return Ok(Arc::new(report)),
                Ok(_) => {}
                Err(trouble) => {
                    trouble.log("the newest report");
                    redis_answers = false;
                }
            }
        }
        let inner = Arc::clone(&self.0);
        let suits = move |report: &HealthReport| match freshness {
            Freshness::Within(limit) if age(report) <= limit => true,
            // What ended after it was asked for is new enough for anyone.
            _ => report.ended_at() >= arrived,
        };
        let made =
            self.0.flight.join(|| async move { Arc::new(inner.make(begun, redis_answers, suits).await) }.boxed());
        let made = made.await;
        made.ok_or_else(|| Error::internal("the probes panicked"))
    }
}

impl Inner {
    /// Makes a report, or waits for the one that another process makes.
    async fn make(&self, begun: Instant, redis_answers: bool, suits: impl Fn(&HealthReport) -> bool) -> HealthReport {
        let limit = self.config.probe_timeout;
        let mut name = None;
        if redis_answers {
            match self.newest.claim(limit).await {
                Ok((Some(report), _)) if suits(&report) => return report,
                Ok((_, Maker::Caller(own))) => name = Some(own),
                // Where nothing hangs it is soon done. Where something does, this one is to end in time too.
                Ok((_, Maker::Another(time))) => {
                    if let Some(report) = self.newest.wait(time.min(limit / 5), &suits).await {
                        return report;
                    }
                }
                Err(trouble) => trouble.log("the newest report"),
            }
        }
        let deadline = Deadline::new(begun, limit);
        let report = self.probe(deadline).boxed().await;
        if report.infrastructure.redis.status == Condition::Up {
            self.newest.put(&report, name).await;
        }
        report
    }

    /// Asks everything at once.
    async fn probe(&self, deadline: Deadline) -> HealthReport {
        let (begun, checked_at) = (Instant::now(), OffsetDateTime::now_utc());
        let (postgresql, mongodb, (redis, mut told), kafka, minio, mut sqs, facts, services, asked) = tokio::join!(
            self.postgresql.read(deadline),
            self.mongodb.read(deadline),
            self.redis.read(deadline),
            self.kafka.read(deadline),
            self.minio.read(deadline),
            self.sqs.read(deadline),
            self.platform.read(deadline),
            self.services(deadline),
            self.providers(deadline),
        );
        let took = begun.elapsed();
        sqs.oldest_age_seconds = facts.as_ref().map(|facts| facts.oldest_waiting_seconds);
        let mut integration = |channel: Channel, asked: Option<Word>| {
            let word = asked.or_else(|| told.remove(&channel)).unwrap_or(Word::Unread);
            let tenants = facts.as_ref().map(|facts| facts.by_channel.get(&channel).copied().unwrap_or_default());
            integration::read(word, tenants, self.config.stale_after, checked_at)
        };
        let [whatsapp, instagram, messenger, email] = asked;
        let integrations = Integrations {
            whatsapp: integration(Channel::WhatsApp, whatsapp),
            instagram: integration(Channel::Instagram, instagram),
            messenger: integration(Channel::Messenger, messenger),
            email: integration(Channel::Email, email),
        };
        HealthReport::new(
            checked_at,
            took,
            Infrastructure { postgresql, mongodb, redis, kafka, minio, sqs },
            services,
            integrations,
            facts.map(|facts| facts.tenants),
        )
    }

    async fn services(&self, deadline: Deadline) -> Services {
        let read = |service: Service| {
            let url = self.config.services.iter().find(|(of, _)| *of == service).map(|(_, url)| url.as_str());
            service::read(&self.web, service, url, deadline)
        };
        let (webhook_ingestor, ws_server, ai_agent, billing_service) = tokio::join!(
            read(Service::WebhookIngestor),
            read(Service::WsServer),
            read(Service::AiAgent),
            read(Service::BillingService),
        );
        Services { webhook_ingestor, ws_server, ai_agent, billing_service }
    }

    /// What the providers' status URLs say, in the order of [`Channel::ALL`].
    async fn providers(&self, deadline: Deadline) -> [Option<Word>; 4] {
        let ask = async |channel: Channel| {
            let (_, url) = self.config.providers.iter().find(|(of, _)| *of == channel)?;
            Some(integration::ask_provider(&self.web, channel, url, deadline).await)
        };
        let [whatsapp, instagram, messenger, email] = Channel::ALL;
        tokio::join!(ask(whatsapp), ask(instagram), ask(messenger), ask(email)).into()
    }
}
