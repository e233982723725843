//! PostgreSQL.

use std::{
    fs,
    ops::{Deref, DerefMut},
    path::Path,
    time::Duration,
};

pub use deadpool_postgres::Transaction;
use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use futures::{FutureExt, future::BoxFuture};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject};
use secrecy::ExposeSecret;
pub use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    config::{ConfigError, PostgresConfig},
    error::{Dependency, Error, Result},
};

/// A connection of the pool; it goes back when dropped.
pub type Connection = deadpool_postgres::Client;

/// The platform database: a small pool that connects when it is first asked.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
}

impl Postgres {
    /// Makes the pool; connects to nothing yet.
    pub fn connect(config: &PostgresConfig) -> Result<Self, ConfigError> {
        let settings = settings(config)?;
        let recycle = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = if settings.get_ssl_mode() == SslMode::Disable {
            Manager::from_config(settings, NoTls, recycle)
        } else {
            Manager::from_config(settings, tls(config.ca_file.as_deref())?, recycle)
        };
        // Set on the session and not at start-up, as proxies of PostgreSQL refuse unknown start-up options.
        let limits = session_limits(config.statement_timeout);
        let pool = Pool::builder(manager)
            .max_size(config.pool_size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(config.connect_timeout))
            .create_timeout(Some(config.connect_timeout))
            .recycle_timeout(Some(config.connect_timeout))
            .post_create(Hook::async_fn(move |client, _| {
                let limits = limits.clone();
                Box::pin(async move { client.batch_execute(&limits).await.map_err(HookError::Backend) })
            }))
            .build()
            .map_err(|error| ConfigError::invalid("POSTGRES_POOL_SIZE", error))?;
        Ok(Self { pool })
    }

    /// A connection, made now if none is idle. Waits no longer than the connect timeout.
    pub async fn get(&self) -> Result<Connection> {
        Ok(self.pool.get().await?)
    }

    /// A connection that others are not to have after this one, unless it is given back.
    pub async fn session(&self) -> Result<Session> {
        self.get().await.map(Session::of)
    }
}

/// A connection that ends when it is dropped, whatever it waits for: what it holds on the server ends with it, and one that
/// hangs is nobody else's.
pub struct Session(Option<Connection>);

impl Session {
    /// Takes a connection out of its pool.
    pub fn of(connection: Connection) -> Self {
        Self(Some(connection))
    }

    /// Gives the connection back to its pool.
    pub fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Deref for Session {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match &self.0 {
            Some(connection) => connection,
            None => unreachable!("it is taken by those alone who take the session by value"),
        }
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Connection {
        match &mut self.0 {
            Some(connection) => connection,
            None => unreachable!("it is taken by those alone who take the session by value"),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Object::take(connection));
        }
    }
}

/// One connection of its own, to `database` on the server of `config` (its own database, unless said). It ends when the
/// client is dropped.
pub async fn connect_once(config: &PostgresConfig, database: Option<&str>) -> Result<Client> {
    let mut server = Server::of(config).map_err(Error::internal)?;
    if let Some(database) = database {
        server.settings.dbname(database);
    }
    let (client, wire) = within(config.connect_timeout, server.open(&server.settings)).await?;
    tokio::spawn(wire);
    within(config.connect_timeout, client.batch_execute(&session_limits(config.statement_timeout))).await?;
    Ok(client)
}

/// How to reach a server.
pub(super) struct Server {
    pub(super) settings: Config,
    tls: Option<MakeRustlsConnect>,
}

/// The other half of a client: nothing moves unless it is polled.
pub(super) type Wire = BoxFuture<'static, Result<(), tokio_postgres::Error>>;

impl Server {
    pub(super) fn of(config: &PostgresConfig) -> Result<Self, ConfigError> {
        let settings = settings(config)?;
        let plain = settings.get_ssl_mode() == SslMode::Disable;
        let tls = if plain { None } else { Some(tls(config.ca_file.as_deref())?) };
        Ok(Self { settings, tls })
    }

    /// Connects with settings that were made of its own.
    pub(super) async fn open(&self, settings: &Config) -> Result<(Client, Wire), tokio_postgres::Error> {
        if let Some(tls) = &self.tls {
            let (client, connection) = settings.connect(tls.clone()).await?;
            return Ok((client, connection.boxed()));
        }
        let (client, connection) = settings.connect(NoTls).await?;
        Ok((client, connection.boxed()))
    }
}

async fn within<T>(limit: Duration, future: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T> {
    match tokio::time::timeout(limit, future).await {
        Ok(result) => Ok(result?),
        Err(elapsed) => Err(Error::unavailable(Dependency::PostgreSql, elapsed)),
    }
}

fn settings(config: &PostgresConfig) -> Result<Config, ConfigError> {
    let mut settings: Config = config
        .url
        .expose_secret()
        .parse()
        // The parser's own words may repeat the password.
        .map_err(|_| ConfigError::invalid("POSTGRES_URL", "not a PostgreSQL connection string"))?;
    settings.connect_timeout(config.connect_timeout);
    // A peer that vanished without a word is noticed, instead of holding the next request for minutes.
    settings.tcp_user_timeout(config.statement_timeout + Duration::from_secs(1));
    settings.keepalives_idle(Duration::from_secs(30));
    if settings.get_application_name().is_none() {
        settings.application_name("landlord");
    }
    Ok(settings)
}

/// A transaction whose process froze in its midst ends before those who wait for its locks give up.
pub(super) fn session_limits(statement_timeout: Duration) -> String {
    let millis = statement_timeout.as_millis();
    format!("SET statement_timeout = {millis}; SET idle_in_transaction_session_timeout = {}", millis * 3 / 4)
}

fn tls(ca_file: Option<&Path>) -> Result<MakeRustlsConnect, ConfigError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        let pem = fs::read(path).map_err(|error| ConfigError::invalid("POSTGRES_CA_FILE", error))?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            certificate
                .map_err(|error| error.to_string())
                .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()))
                .map_err(|error| ConfigError::invalid("POSTGRES_CA_FILE", error))?;
        }
    }
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::invalid("POSTGRES_URL", error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// What the server answered, where an error of ours is one of its answers.
pub fn sql_state(error: &Error) -> Option<&SqlState> {
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        if let Some(answer) = source.downcast_ref::<tokio_postgres::Error>() {
            return answer.code();
        }
        next = source.source();
    }
    None
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let transient = match error.code() {
            // The server answered: is it about itself, or about what we asked?
            Some(code) => {
                matches!(
                    *code,
                    SqlState::ADMIN_SHUTDOWN
                        | SqlState::CRASH_SHUTDOWN
                        | SqlState::CANNOT_CONNECT_NOW
                        | SqlState::TOO_MANY_CONNECTIONS
                        | SqlState::QUERY_CANCELED
                        | SqlState::LOCK_NOT_AVAILABLE
                        | SqlState::OBJECT_IN_USE
                        | SqlState::T_R_SERIALIZATION_FAILURE
                        | SqlState::T_R_DEADLOCK_DETECTED
                        | SqlState::READ_ONLY_SQL_TRANSACTION
                ) || ["08", "53", "58"].contains(&&code.code()[..2])
            }
            // It did not: the connection failed or broke, unless the fault is in how we read the answer.
            None => {
                error.is_closed()
                    || std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
            }
        };
        if transient { Self::unavailable(Dependency::PostgreSql, error) } else { Self::internal(error) }
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        match error {
            // A connection that cannot be made is the server's matter, whatever the cause; wrong credentials too.
            PoolError::Timeout(_) | PoolError::Backend(_) => Self::unavailable(Dependency::PostgreSql, error),
            _ => Self::internal(error),
        }
    }
}
