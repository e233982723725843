//! Redis: what is kept there may be lost.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, aio::MultiplexedConnection,
};
use secrecy::ExposeSecret;
use tokio::{sync::Mutex, time::timeout};

use crate::{
    config::{ConfigError, RedisConfig},
    error::{Dependency, Error, Result},
};

/// Redis, connected at first use and again after a failure.
pub struct Redis {
    client: Client,
    settings: AsyncConnectionConfig,
    timeout: Duration,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Redis {
    /// Reads the URL; connects to nothing yet.
    pub fn connect(config: &RedisConfig) -> Result<Self, ConfigError> {
        let client = Client::open(config.url.expose_secret())
            .map_err(|_| ConfigError::invalid("REDIS_URL", "not a Redis connection string"))?;
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(config.timeout))
            .set_response_timeout(Some(config.timeout));
        Ok(Self { client, settings, timeout: config.timeout, connection: Mutex::new(None) })
    }

    /// Runs a script on the server, in one round trip.
    pub async fn run<T: FromRedisValue>(&self, script: &redis::ScriptInvocation<'_>) -> Result<T> {
        self.ask(async |mut connection| script.invoke_async(&mut connection).await).await
    }

    /// Sends a command. Waits no longer than the timeout, connecting included.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let Ok(answer) =
            timeout(self.timeout, self.ask(async |mut connection| command.query_async(&mut connection).await)).await
        else {
            // What is late on this connection would be late again. Whoever has the lock is making another.
            if let Ok(mut connection) = self.connection.try_lock() {
                *connection = None;
            }
            return Err(Error::Unavailable { dependency: Dependency::Redis, source: None });
        };
        answer
    }

    async fn ask<T>(&self, question: impl AsyncFnOnce(MultiplexedConnection) -> RedisResult<T>) -> Result<T> {
        match question(self.connection().await?).await {
            Ok(value) => Ok(value),
            Err(error) => {
                self.forget(&error).await;
                Err(error.into())
            }
        }
    }

    async fn connection(&self) -> Result<MultiplexedConnection> {
        let mut slot = self.connection.lock().await;
        if let Some(connection) = slot.as_ref() {
            return Ok(connection.clone());
        }
        let connection = self.client.get_multiplexed_async_connection_with_config(&self.settings).await?;
        *slot = Some(connection.clone());
        Ok(connection)
    }

    /// Drops a connection that broke, so that the next call makes another.
    async fn forget(&self, error: &RedisError) {
        if error.is_io_error() || error.is_timeout() || error.is_unrecoverable_error() {
            *self.connection.lock().await = None;
        }
    }
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        if matches!(error.kind(), ErrorKind::UnexpectedReturnType) {
            Self::internal(error)
        } else {
            Self::unavailable(Dependency::Redis, error)
        }
    }
}
