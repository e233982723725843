//! Probes Redis, and reads the times of the ingestor's last successes from it.

use std::collections::HashMap;

use redis::{FromRedisValue, RedisError, Value, aio::MultiplexedConnection};
use time::OffsetDateTime;

use crate::{
    clients,
    error::Error,
    health::checks::{
        deadline::ProbeDeadline,
        error::ProbeError,
        probe::{Check, Probe},
        probes::integrations::ProviderEvidence,
        readings::StoreReading,
    },
    types::Channel,
};

pub(super) struct RedisProbe(Probe<RedisCheck>);

impl RedisProbe {
    /// Opens no connection. The ingestor's last success with each of `channels` is read from
    /// `integration:{kind}:last_success_at`, in Unix seconds.
    pub(super) fn new(client: clients::redis::Redis, prefix: &str, channels: Vec<Channel>) -> Self {
        let key = |channel: &Channel| format!("{prefix}integration:{}:last_success_at", channel.as_str());
        let keys = channels.iter().map(key).collect();
        Self(Probe::new(RedisCheck { client, channels, keys }))
    }

    pub(super) async fn read(&self, deadline: ProbeDeadline) -> (StoreReading, HashMap<Channel, ProviderEvidence>) {
        let channels = || self.0.check.channels.iter().copied();
        match self.0.run(deadline).await {
            Ok(response) => {
                let successes = channels().zip(&response.value.successes);
                let evidence = successes.map(|(channel, at)| (channel, ProviderEvidence::LastSuccess(*at)));
                (StoreReading::up(&response, response.value.version.clone()), evidence.collect())
            }
            Err(error) => {
                let evidence = channels().map(|channel| (channel, ProviderEvidence::Unreadable));
                (StoreReading::down("redis", error), evidence.collect())
            }
        }
    }
}

struct RedisCheck {
    client: clients::redis::Redis,
    channels: Vec<Channel>,
    keys: Vec<String>,
}

struct RedisServerInfo {
    version: Option<String>,
    /// In the order of the channels.
    successes: Vec<Option<OffsetDateTime>>,
}

impl Check for RedisCheck {
    type Connection = MultiplexedConnection;
    type Response = RedisServerInfo;

    async fn open(&self) -> Result<MultiplexedConnection, ProbeError> {
        Ok(self.client.open().await?)
    }

    async fn query(
        &self,
        connection: &mut MultiplexedConnection,
        _: ProbeDeadline,
    ) -> Result<RedisServerInfo, ProbeError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("PING").cmd("INFO").arg("server");
        if !self.keys.is_empty() {
            pipeline.cmd("MGET").arg(&self.keys);
        }
        // A login without the right to run every command is still a sign that Redis works.
        let replies: Vec<Value> = pipeline.ignore_errors().query_async(connection).await.map_err(describe)?;
        let mut replies = replies.into_iter();
        if let Some(Value::ServerError(error)) = replies.next() {
            return Err(describe(error.into()));
        }
        let info = replies.next().and_then(|info| String::from_redis_value(info).ok()).unwrap_or_default();
        let version =
            info.lines().find_map(|line| line.strip_prefix("redis_version:")).map(|text| text.trim().to_owned());
        let texts = replies.next().and_then(|texts| Vec::<Option<String>>::from_redis_value(texts).ok());
        let successes = texts.unwrap_or_default().iter().map(|text| parse_time(text.as_deref()?)).collect();
        Ok(RedisServerInfo { version, successes })
    }
}

fn describe(error: RedisError) -> ProbeError {
    ProbeError::from(Error::from(error))
}

/// Unix seconds, with or without a fraction.
fn parse_time(text: &str) -> Option<OffsetDateTime> {
    let seconds: f64 = text.trim().parse().ok()?;
    let since = time::Duration::checked_seconds_f64(seconds)?;
    OffsetDateTime::UNIX_EPOCH.checked_add(since)
}
