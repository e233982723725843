//! Redis, which holds only data that may be lost.

use std::{path::PathBuf, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, TlsCertificates,
    aio::MultiplexedConnection,
};
use secrecy::ExposeSecret;
use tokio::{sync::Mutex, time::timeout};

use crate::{
    clients::authorities,
    config::{ConfigError, RedisConfig},
    error::{Dependency, Error, Result},
};

/// A connection to Redis that is opened at first use and again after a failure.
pub struct Redis {
    client: Client,
    settings: AsyncConnectionConfig,
    timeout: Duration,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Redis {
    /// Reads the URL; opens no connection yet.
    pub fn connect(config: &RedisConfig) -> Result<Self, ConfigError> {
        let url = config.url.expose_secret();
        let invalid = |_| ConfigError::invalid("REDIS_URL", "not a Redis connection string");
        let client = if url.starts_with("rediss://") {
            // The Redis client takes the process's default. An error means that one is installed already.
            let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
            let authorities = |path: &PathBuf| authorities::read_pem("REDIS_CA_FILE", path).map(String::into_bytes);
            let root_cert = config.ca_file.as_ref().map(authorities).transpose()?;
            Client::build_with_tls(url, TlsCertificates { client_tls: None, root_cert }).map_err(invalid)?
        } else {
            Client::open(url).map_err(invalid)?
        };
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(config.timeout))
            .set_response_timeout(Some(config.timeout));
        Ok(Self { client, settings, timeout: config.timeout, connection: Mutex::new(None) })
    }

    /// Runs a script on the server, in one round trip.
    pub async fn run<T: FromRedisValue>(&self, script: &redis::ScriptInvocation<'_>) -> Result<T> {
        self.attempt(|mut connection| async move { script.invoke_async(&mut connection).await }).await
    }

    /// Sends a command. Waits no longer than the timeout, connecting included.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let call = self.attempt(|mut connection| async move { command.query_async(&mut connection).await });
        let Ok(answer) = timeout(self.timeout, call).await else {
            // The next call on this connection would be late as well. A task that holds the lock is opening another.
            if let Ok(mut connection) = self.connection.try_lock() {
                *connection = None;
            }
            return Err(Error::Unavailable { dependency: Dependency::Redis, source: None });
        };
        answer
    }

    /// The kept connection may have been closed by the server unnoticed. Then the call is repeated once on a new connection;
    /// it must be idempotent.
    async fn attempt<T, F>(&self, call: impl Fn(MultiplexedConnection) -> F) -> Result<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let kept = self.connection.lock().await.clone();
        if let Some(connection) = kept {
            match call(connection).await {
                Err(error) if error.is_connection_dropped() => self.forget(&error).await,
                answer => return self.checked(answer).await,
            }
        }
        self.checked(call(self.connection().await?).await).await
    }

    async fn checked<T>(&self, answer: RedisResult<T>) -> Result<T> {
        if let Err(error) = &answer {
            self.forget(error).await;
        }
        Ok(answer?)
    }

    /// A connection for the caller alone; dropping it closes it.
    pub async fn open(&self) -> Result<MultiplexedConnection> {
        Ok(self.client.get_multiplexed_async_connection_with_config(&self.settings).await?)
    }

    async fn connection(&self) -> Result<MultiplexedConnection> {
        let mut slot = self.connection.lock().await;
        if let Some(connection) = slot.as_ref() {
            return Ok(connection.clone());
        }
        let connection = self.open().await?;
        *slot = Some(connection.clone());
        Ok(connection)
    }

    /// Drops a broken connection, so that the next call opens another.
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
