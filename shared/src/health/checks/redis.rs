//! Redis, and what the ingestor wrote down there of its successes.

use std::collections::HashMap;

use redis::{FromRedisValue, RedisError, Value, aio::MultiplexedConnection};
use time::OffsetDateTime;

use crate::health::checks::{
    integration::Word,
    probe::{Asker, Deadline, Probe, Trouble},
    report::Reading,
};
use crate::{clients, error::Error, types::Channel};

/// The server.
pub(super) struct Redis(Asker<Question>);

impl Redis {
    /// Connects to nothing yet. The ingestor is asked of these channels: `integration:{kind}:last_success_at`, Unix seconds.
    pub(super) fn new(client: clients::redis::Redis, prefix: &str, channels: Vec<Channel>) -> Self {
        let key = |channel: &Channel| format!("{prefix}integration:{}:last_success_at", channel.as_str());
        let keys = channels.iter().map(key).collect();
        Self(Asker::new(Question { client, channels, keys }))
    }

    pub(super) async fn read(&self, deadline: Deadline) -> (Reading, HashMap<Channel, Word>) {
        let channels = || self.0.probe.channels.iter().copied();
        match self.0.ask(deadline).await {
            Ok(answered) => {
                let words =
                    channels().zip(&answered.answer.successes).map(|(channel, at)| (channel, Word::Ingestor(*at)));
                (Reading::up(&answered, answered.answer.version.clone()), words.collect())
            }
            Err(trouble) => {
                (Reading::down("redis", trouble), channels().map(|channel| (channel, Word::Unread)).collect())
            }
        }
    }
}

struct Question {
    client: clients::redis::Redis,
    channels: Vec<Channel>,
    keys: Vec<String>,
}

struct Answer {
    version: Option<String>,
    /// In the order of the channels.
    successes: Vec<Option<OffsetDateTime>>,
}

impl Probe for Question {
    type Connection = MultiplexedConnection;
    type Answer = Answer;

    async fn open(&self) -> Result<MultiplexedConnection, Trouble> {
        Ok(self.client.open().await?)
    }

    async fn ask(&self, connection: &mut MultiplexedConnection, _: Deadline) -> Result<Answer, Trouble> {
        let mut questions = redis::pipe();
        questions.cmd("PING").cmd("INFO").arg("server");
        if !self.keys.is_empty() {
            questions.cmd("MGET").arg(&self.keys);
        }
        // A user who may not ask for everything is still one whom Redis answers.
        let answers: Vec<Value> = questions.ignore_errors().query_async(connection).await.map_err(trouble)?;
        let mut answers = answers.into_iter();
        if let Some(Value::ServerError(error)) = answers.next() {
            return Err(trouble(error.into()));
        }
        let info = answers.next().and_then(|info| String::from_redis_value(info).ok()).unwrap_or_default();
        let version =
            info.lines().find_map(|line| line.strip_prefix("redis_version:")).map(|text| text.trim().to_owned());
        let texts = answers.next().and_then(|texts| Vec::<Option<String>>::from_redis_value(texts).ok());
        let successes = texts.unwrap_or_default().iter().map(|text| moment(text.as_deref()?)).collect();
        Ok(Answer { version, successes })
    }
}

fn trouble(error: RedisError) -> Trouble {
    Trouble::from(Error::from(error))
}

/// Unix seconds, which may have a fraction.
fn moment(text: &str) -> Option<OffsetDateTime> {
    let seconds: f64 = text.trim().parse().ok()?;
    let since = time::Duration::checked_seconds_f64(seconds)?;
    OffsetDateTime::UNIX_EPOCH.checked_add(since)
}
