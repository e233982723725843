use std::{
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

pub use deadpool_postgres::Transaction;
use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use futures::{FutureExt, future::BoxFuture};
use percent_encoding::percent_decode_str;
use rustls::{ClientConfig, NamedGroup};
use secrecy::ExposeSecret;
pub use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    clients::{authorities, tls_problem},
    config::{ConfigError, FromEnv, PostgresConfig},
    error::{Dependency, Error, Result},
};

/// A connection of a pool; dropping it returns it to the pool.
pub type Connection = deadpool_postgres::Client;

/// A small pool that opens its connections at first use.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
}

/// The pool of this process that [`open_at_start`] opens a connection of.
static PLATFORM: OnceLock<Postgres> = OnceLock::new();

/// Opens the first connection to the platform database, if the function uses it, so that the first request need not wait for it.
/// A server that cannot be reached is no error, because it may be back before the first request. One that does not prove who
/// it is is an error, because that does not pass by itself.
pub(crate) async fn open_at_start() -> Result<(), ConfigError> {
    let Some(platform) = PLATFORM.get() else { return Ok(()) };
    match platform.get().await {
        Err(error) => match tls_problem(&error) {
            Some(problem) => Err(ConfigError::invalid("POSTGRES_URL", problem)),
            None => Ok(()),
        },
        Ok(_) => Ok(()),
    }
}

impl Postgres {
    /// The pool of the platform database, for a function that needs it for every event: its start opens the first
    /// connection.
    pub fn platform_from_env() -> Result<Self, ConfigError> {
        let platform = Self::connect(&PostgresConfig::from_env()?)?;
        Ok(PLATFORM.get_or_init(|| platform).clone())
    }

    /// Creates the pool; opens no connection yet.
    pub fn connect(config: &PostgresConfig) -> Result<Self, ConfigError> {
        let Server { settings, tls } = Server::of(config)?;
        let recycle = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match tls {
            Some(tls) => Manager::from_config(settings, tls, recycle),
            None => Manager::from_config(settings, NoTls, recycle),
        };
        // Set in the session, because proxies of PostgreSQL reject unknown start-up options.
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

    /// An idle or a new connection. Waits no longer than the connect timeout.
    pub async fn get(&self) -> Result<Connection> {
        Ok(self.pool.get().await?)
    }

    /// A connection that is closed when it is dropped, see [`Session`].
    pub async fn session(&self) -> Result<Session> {
        self.get().await.map(Session::of)
    }
}

/// A connection that is closed when it is dropped, instead of returning to its pool: its locks on the server end with it, and
/// nobody else gets a connection that hangs.
pub struct Session(Option<Connection>);

impl Session {
    /// Takes a connection out of its pool.
    pub fn of(connection: Connection) -> Self {
        Self(Some(connection))
    }

    /// Returns the connection to its pool.
    pub fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Deref for Session {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match &self.0 {
            Some(connection) => connection,
            None => unreachable!("only methods that consume the session take the connection"),
        }
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Connection {
        match &mut self.0 {
            Some(connection) => connection,
            None => unreachable!("only methods that consume the session take the connection"),
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

/// A connection outside any pool, to `database` on the server of `config` (by default, to the database in its URL). Dropping
/// the client closes it.
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

/// The settings of connections to a server.
pub(super) struct Server {
    pub(super) settings: Config,
    tls: Option<MakeRustlsConnect>,
}

/// The input and output of a client, which does nothing unless this is polled.
pub(super) type Wire = BoxFuture<'static, Result<(), tokio_postgres::Error>>;

impl Server {
    pub(super) fn of(config: &PostgresConfig) -> Result<Self, ConfigError> {
        let (settings, ca_file) = settings(config)?;
        let plain = settings.get_ssl_mode() == SslMode::Disable;
        let tls = if plain { None } else { Some(tls(config, ca_file.as_deref())?) };
        Ok(Self { settings, tls })
    }

    /// Connects with settings derived from [`Self::settings`].
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

/// The settings of connections, and the file of authorities that the URL names.
fn settings(config: &PostgresConfig) -> Result<(Config, Option<PathBuf>), ConfigError> {
    let (url, ca_file) = without_certificate_options(config.url.expose_secret());
    let mut settings: Config = url
        .parse()
        // The parser's message may contain the password.
        .map_err(|_| ConfigError::invalid(config.variable, "not a PostgreSQL connection string"))?;
    settings.connect_timeout(config.connect_timeout);
    // Without it, a request on a connection whose peer has vanished waits for minutes.
    settings.tcp_user_timeout(config.statement_timeout + Duration::from_secs(1));
    settings.keepalives_idle(Duration::from_secs(30));
    if settings.get_application_name().is_none() {
        settings.application_name("landlord");
    }
    Ok((settings, ca_file))
}

/// The URL without the options of libpq about certificates, which `tokio-postgres` does not know, and the path in `sslrootcert`.
/// The modes `verify-ca` and `verify-full` become `require`, because certificates and host names are always verified here.
fn without_certificate_options(url: &str) -> (String, Option<PathBuf>) {
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mut ca_file = None;
    let mut options = Vec::new();
    for option in query.split('&') {
        match option.split_once('=') {
            Some(("sslrootcert", path)) => {
                ca_file = Some(PathBuf::from(percent_decode_str(path).decode_utf8_lossy().into_owned()));
            }
            Some(("sslmode", "verify-ca" | "verify-full")) => options.push("sslmode=require"),
            _ => options.push(option),
        }
    }
    (format!("{base}?{}", options.join("&")), ca_file)
}

/// The transaction of a frozen process ends before the statements that wait for its locks time out.
pub(super) fn session_limits(statement_timeout: Duration) -> String {
    let millis = statement_timeout.as_millis();
    format!("SET statement_timeout = {millis}; SET idle_in_transaction_session_timeout = {}", millis * 3 / 4)
}

fn tls(config: &PostgresConfig, ca_file: Option<&Path>) -> Result<MakeRustlsConnect, ConfigError> {
    let of_variable = config.ca_file.as_deref().map(|path| ("POSTGRES_CA_FILE", path));
    let of_url = ca_file.map(|path| (config.variable, path));
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    // PostgreSQL before 18 accepts this curve only. If the client guesses another one, the server asks for it, which takes a round trip.
    provider.kx_groups.sort_by_key(|group| group.name() != NamedGroup::secp256r1);
    let client = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::invalid(config.variable, error))?
        .with_root_certificates(authorities::trusted(of_variable.into_iter().chain(of_url))?)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(client))
}

/// The code in the server's answer, if the error is caused by one.
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
            // The server answered. Its state, rather than the statement, is the cause of these:
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
                        // The server waited too long for the next statement, which was late or lost.
                        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
                        | SqlState::IDLE_SESSION_TIMEOUT
                ) || ["08", "53", "58"].contains(&&code.code()[..2])
            }
            // The connection failed or broke, unless the answer could not be read.
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
            // Every failure to connect counts as the server's, wrong credentials too. The hook sends the first statement of a
            // connection.
            PoolError::Timeout(_) | PoolError::Backend(_) | PoolError::PostCreateHook(_) => {
                Self::unavailable(Dependency::PostgreSql, error)
            }
            _ => Self::internal(error),
        }
    }
}
