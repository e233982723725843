//! Runs all probes at once and combines their readings into a report.

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::{
    clients::{self, aws::Attempts, s3::Bucket},
    config::{ConfigError, HealthConfig, MongoSettings, PostgresConfig, RedisConfig},
    health::checks::{
        deadline::ProbeDeadline,
        probes::{
            integrations::{self, ProviderEvidence},
            kafka::KafkaProbe,
            minio::MinioProbe,
            mongodb::MongoDbProbe,
            platform::PlatformProbe,
            postgresql::PostgreSqlProbe,
            redis::RedisProbe,
            services,
            sqs::SqsProbe,
            web::WebProbe,
        },
        readings::{Infrastructure, Integrations, Services},
        report::HealthReport,
        targets::HealthTargets,
    },
    types::{Channel, Microservice},
};

/// A probe of everything that the platform depends on.
pub(in crate::health::checks) struct HealthProbes {
    postgresql: PostgreSqlProbe,
    mongodb: MongoDbProbe,
    redis: RedisProbe,
    kafka: KafkaProbe,
    minio: MinioProbe,
    sqs: SqsProbe,
    platform: PlatformProbe,
    web: WebProbe,
    config: HealthConfig,
}

impl HealthProbes {
    /// Opens no connection.
    pub(in crate::health::checks) fn connect(targets: &HealthTargets) -> Result<Self, ConfigError> {
        let limit = targets.health.probe_timeout;
        let postgres = PostgresConfig {
            // The kept connection, and another one when that does not respond.
            pool_size: 2,
            connect_timeout: limit,
            statement_timeout: limit,
            ..targets.postgres.clone()
        };
        let redis = clients::redis::Redis::connect(&RedisConfig { timeout: limit, ..targets.redis.clone() })?;
        // The second attempt covers a connection that died without notice.
        let attempts = |endpoint: &Option<String>| Attempts { endpoint: endpoint.clone(), ..Attempts::new(limit, 2) };
        let has_url = |channel| targets.health.providers.iter().any(|(of, _)| *of == channel);
        let without_url = Channel::ALL.into_iter().filter(|channel| !has_url(*channel)).collect();
        let queues = [&targets.queues.provision, &targets.queues.relay, &targets.queues.measure];
        Ok(Self {
            postgresql: PostgreSqlProbe::new(&postgres, &targets.postgres_clusters)?,
            mongodb: MongoDbProbe::new(
                &targets.mongo_clusters,
                &MongoSettings { timeout: limit, ..targets.mongo.clone() },
            )?,
            redis: RedisProbe::new(redis, &targets.redis_prefix, without_url),
            kafka: KafkaProbe::new(targets.kafka.clone(), limit)?,
            minio: MinioProbe::new(Bucket::with(&targets.s3, attempts(&targets.endpoints.s3))?),
            sqs: SqsProbe::new(
                clients::sqs::Sqs::with(attempts(&targets.endpoints.sqs)),
                queues.into_iter().flatten().cloned().collect(),
            ),
            platform: PlatformProbe::new(&postgres)?,
            web: WebProbe::new(limit),
            config: targets.health.clone(),
        })
    }

    pub(in crate::health::checks) async fn run(&self, deadline: ProbeDeadline) -> HealthReport {
        let (begun, checked_at) = (Instant::now(), OffsetDateTime::now_utc());
        let (postgresql, mongodb, (redis, mut successes), kafka, minio, mut sqs, facts, services, status_pages) = tokio::join!(
            self.postgresql.read(deadline),
            self.mongodb.read(deadline),
            self.redis.read(deadline),
            self.kafka.read(deadline),
            self.minio.read(deadline),
            self.sqs.read(deadline),
            self.platform.read(deadline),
            self.services(deadline),
            self.status_pages(deadline),
        );
        let took = begun.elapsed();
        sqs.oldest_age_seconds = facts.as_ref().map(|facts| facts.oldest_waiting_seconds);
        let mut integration = |channel: Channel, status_page: Option<ProviderEvidence>| {
            let evidence = status_page.or_else(|| successes.remove(&channel)).unwrap_or(ProviderEvidence::Unreadable);
            let tenants = facts.as_ref().map(|facts| facts.by_channel.get(&channel).copied().unwrap_or_default());
            integrations::read(evidence, tenants, self.config.stale_after, checked_at)
        };
        let [whatsapp, instagram, messenger, email] = status_pages;
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

    async fn services(&self, deadline: ProbeDeadline) -> Services {
        let read = |service: Microservice| {
            let url = self.config.services.iter().find(|(of, _)| *of == service).map(|(_, url)| url.as_str());
            services::read(&self.web, service, url, deadline)
        };
        let (webhook_ingestor, ws_server, ai_agent, billing_service) = tokio::join!(
            read(Microservice::WebhookIngestor),
            read(Microservice::WsServer),
            read(Microservice::AiAgent),
            read(Microservice::BillingService),
        );
        Services { webhook_ingestor, ws_server, ai_agent, billing_service }
    }

    /// The providers' status pages, in the order of [`Channel::ALL`]; `None` for a provider without a status URL.
    async fn status_pages(&self, deadline: ProbeDeadline) -> [Option<ProviderEvidence>; 4] {
        let fetch = async |channel: Channel| {
            let (_, url) = self.config.providers.iter().find(|(of, _)| *of == channel)?;
            Some(integrations::fetch_status_page(&self.web, channel, url, deadline).await)
        };
        let [whatsapp, instagram, messenger, email] = Channel::ALL;
        tokio::join!(fetch(whatsapp), fetch(instagram), fetch(messenger), fetch(email)).into()
    }
}
