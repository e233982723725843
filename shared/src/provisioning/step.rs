//! What every step of the saga is built from: its interface, the stores it works on, and its errors.

use std::{error::Error as _, time::Duration};

use tokio_postgres::error::SqlState;

use crate::{
    clients::{
        clusters::{MongoCluster, MongoClusters, PostgresCluster, PostgresClusters},
        mongo,
        postgres::Postgres,
        redis::Redis,
        s3::Bucket,
        service_logins::ServiceLogins,
    },
    config::{Clusters, ConfigError, MongoSettings, PostgresConfig, ServiceLoginConfig},
    error::{Dependency, Error},
    operations::{
        JournalError, Lease, StepName,
        store::{
            breakers::{OpenBreaker, StoreKind},
            journal,
        },
    },
    types::{OperationId, Placement},
};

/// Limit for applying one step.
pub(super) const APPLY_TIMEOUT: Duration = Duration::from_secs(15);

/// Limit for undoing one step, if the invocation lasts that long. Before PostgreSQL drops a database, it writes all changes on
/// the whole cluster to disk. A shorter limit would only postpone this work.
pub(super) const UNDO_TIMEOUT: Duration = Duration::from_secs(45);

/// Whether the platform's services may use a tenant's databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServiceAccess {
    Granted,
    Revoked,
}

/// A part of the saga with an effect outside the platform database.
///
/// The name of every effect (the database's name, the operation's id) belongs to this operation alone. A late worker can
/// therefore never touch anything that another operation created.
pub(super) trait Step {
    /// Name in the journal.
    const NAME: StepName;

    /// The store that the effect is in.
    const STORE: StoreKind;

    /// Whether the store refuses the requests of a late worker, because the next worker has ended its session or raised a
    /// fence. If the store cannot do that, a late worker removes its own effect.
    const FENCED: bool;

    /// Whether undoing the step sends a request to the store. Otherwise its success does not show that the store works.
    const UNDO_ASKS_STORE: bool = true;

    /// Limit for applying the step.
    const LIMIT: Duration = APPLY_TIMEOUT;

    /// Ensures the effect. Applying twice has the same effect as applying once, even if the first attempt stopped half-way.
    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError>;

    /// Removes the effect, whether `apply` finished, stopped half-way or never ran.
    async fn undo(&self, context: &StepContext<'_>) -> Result<(), StepError>;
}

/// Where a step works, and under which lease.
pub(super) struct StepContext<'a> {
    /// The platform database.
    pub(super) platform: &'a Postgres,
    pub(super) stores: &'a Stores,
    pub(super) lease: Lease,
    /// The operation that creates or created the effects.
    pub(super) creator: OperationId,
    /// Name of the tenant's databases.
    pub(super) database: &'a str,
    pub(super) placement: Placement,
    /// The version of the tenant schema to create.
    pub(super) schema_version: i32,
    /// How long the operation may go on without progress.
    pub(super) budget: Option<Duration>,
    /// Whether the databases are those of a restored copy: no service gets access, and no other version of the schema will do.
    pub(super) is_copy: bool,
}

impl StepContext<'_> {
    /// The cluster of a store on which the tenant is placed; empty for object storage.
    pub(super) fn cluster(&self, store: StoreKind) -> &str {
        match store {
            StoreKind::Postgresql => &self.placement.postgres_cluster,
            StoreKind::Mongodb => &self.placement.mongo_cluster,
            StoreKind::ObjectStorage => "",
        }
    }

    /// Checks that no other worker has taken the operation.
    pub(super) async fn check_lease(&self) -> Result<(), StepError> {
        Ok(journal::check(&self.platform.get().await?, self.lease).await?)
    }
}

/// Limit for one statement on a cluster. Cloning a database takes longer than a query.
const CLUSTER_STATEMENT_TIMEOUT: Duration = Duration::from_secs(12);

/// The stores that contain the databases, the objects and the keys of tenants.
pub struct Stores {
    /// Configuration of the PostgreSQL clusters.
    pub postgres_clusters: Clusters,
    /// Configuration of the MongoDB clusters.
    pub mongo_clusters: Clusters,
    pub bucket: Bucket,
    /// Contains counters of tenants.
    pub redis: Redis,
    /// Of the platform's services at MongoDB.
    pub service_logins: ServiceLogins,
    postgres: PostgresClusters,
    mongo: MongoClusters,
}

impl Stores {
    /// Opens no connection yet. Every PostgreSQL cluster uses its own URL and the other settings of `postgres`.
    pub fn connect(
        postgres_clusters: Clusters,
        postgres: &PostgresConfig,
        mongo_clusters: Clusters,
        mongo: &MongoSettings,
        bucket: Bucket,
        redis: Redis,
        service_logins: &ServiceLoginConfig,
    ) -> Result<Self, ConfigError> {
        let statement_timeout = postgres.statement_timeout.max(CLUSTER_STATEMENT_TIMEOUT);
        let settings = PostgresConfig { statement_timeout, ..postgres.clone() };
        let postgres = PostgresClusters::connect(&postgres_clusters, &settings)?;
        let mongo = MongoClusters::connect(&mongo_clusters, mongo)?;
        let service_logins = ServiceLogins::new(service_logins);
        Ok(Self { postgres_clusters, mongo_clusters, bucket, redis, service_logins, postgres, mongo })
    }

    pub(super) fn postgres(&self, name: &str) -> Result<&PostgresCluster, StepError> {
        self.postgres.get(name).ok_or_else(|| unknown_cluster("PostgreSQL", name))
    }

    pub(super) fn mongo(&self, name: &str) -> Result<&MongoCluster, StepError> {
        self.mongo.get(name).ok_or_else(|| unknown_cluster("MongoDB", name))
    }
}

fn dependency(store: StoreKind) -> Dependency {
    match store {
        StoreKind::Postgresql => Dependency::PostgreSql,
        StoreKind::Mongodb => Dependency::MongoDb,
        StoreKind::ObjectStorage => Dependency::S3,
    }
}

fn unknown_cluster(kind: &str, name: &str) -> StepError {
    StepError::permanent(format!("The tenant is placed on the {kind} cluster `{name}`, which is not configured"))
}

/// Consequence of an error for the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// The store cannot be reached, or refuses every request for now.
    Unavailable,
    /// A later attempt may succeed.
    Transient,
    /// Every later attempt would fail too: the operation is rolled back.
    Permanent,
    /// Another worker has taken the operation: this worker stops at once and writes nothing more.
    Fenced,
}

/// An error of a step.
#[derive(Debug)]
pub(super) struct StepError {
    pub(super) severity: Severity,
    /// Shown to super-admins: a sentence without secrets, host names or contents of rows.
    pub(super) reason: String,
    /// How long to wait for the next attempt, if not as long as after any fault.
    pub(super) retry_after: Option<Duration>,
    /// For the log.
    pub(super) source: Option<Error>,
    /// The store that failed, if it is not the one of the step.
    pub(super) store: Option<StoreKind>,
}

impl StepError {
    fn new(severity: Severity, reason: String) -> Self {
        Self { severity, reason, retry_after: None, source: None, store: None }
    }

    pub(super) fn permanent(reason: impl Into<String>) -> Self {
        Self::new(Severity::Permanent, reason.into())
    }

    pub(super) fn transient(reason: impl Into<String>) -> Self {
        Self::new(Severity::Transient, reason.into())
    }

    pub(super) fn fenced() -> Self {
        Self::new(Severity::Fenced, JournalError::Fenced.to_string())
    }

    pub(super) fn timed_out(store: StoreKind, limit: Duration) -> Self {
        let store = dependency(store);
        Self::new(
            Severity::Unavailable,
            format!("{store} did not answer in time: the step took longer than {} s", limit.as_secs()),
        )
    }

    pub(super) fn breaker_open(breaker: &OpenBreaker) -> Self {
        let cluster = &breaker.cluster;
        let store = match breaker.store {
            StoreKind::Postgresql => format!("The PostgreSQL cluster `{cluster}`"),
            StoreKind::Mongodb => format!("The MongoDB cluster `{cluster}`"),
            StoreKind::ObjectStorage => "Object storage".to_owned(),
        };
        let reason = format!("{store} fails for every operation, and is tried again later");
        Self { retry_after: Some(breaker.wait), ..Self::new(Severity::Unavailable, reason) }
    }

    pub(super) fn is_fenced(&self) -> bool {
        self.severity == Severity::Fenced
    }

    /// Whether the error is this answer of PostgreSQL.
    pub(super) fn is_answer(&self, state: &SqlState) -> bool {
        let mut next = self.source.as_ref().and_then(std::error::Error::source);
        while let Some(source) = next {
            if source.downcast_ref::<tokio_postgres::Error>().is_some_and(|error| error.code() == Some(state)) {
                return true;
            }
            next = source.source();
        }
        false
    }

    /// Names the store that failed, which is not the one of the step.
    pub(super) fn of_store(self, store: StoreKind) -> Self {
        Self { store: Some(store), ..self }
    }

    pub(super) fn with_reason(self, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..self }
    }

    /// The more severe of the results of two concurrent branches.
    pub(super) fn worse(one: Result<(), Self>, other: Result<(), Self>) -> Result<(), Self> {
        match (one, other) {
            (Err(one), Err(other)) => Err(if other.severity > one.severity { other } else { one }),
            (Err(error), Ok(())) | (Ok(()), Err(error)) => Err(error),
            (Ok(()), Ok(())) => Ok(()),
        }
    }

    /// The source and its sources, for the log.
    pub(super) fn cause(&self) -> String {
        self.source.as_ref().map(Error::chain).unwrap_or_default()
    }
}

impl From<Error> for StepError {
    fn from(error: Error) -> Self {
        let described = Self::new(severity(&error), describe(&error));
        Self { source: Some(error), ..described }
    }
}

impl From<JournalError> for StepError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Fenced => Self::fenced(),
            // Always transient: an error of the journal does not prove that the step itself cannot succeed.
            JournalError::Store(error) if error.is_transient() => error.into(),
            JournalError::Store(error) => Self { severity: Severity::Transient, ..Self::from(error) },
        }
    }
}

impl From<tokio_postgres::Error> for StepError {
    fn from(error: tokio_postgres::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<mongodb::error::Error> for StepError {
    fn from(error: mongodb::error::Error) -> Self {
        Error::from(error).into()
    }
}

/// The consequence of an error. A store that refuses the credentials, or has no space, fails for every operation until somebody
/// changes that.
fn severity(error: &Error) -> Severity {
    /// Of MongoDB: `Unauthorized`, `AuthenticationFailed`, `OutOfDiskSpace`.
    const MONGODB_REFUSALS: [i32; 3] = [13, 18, 14_031];
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(answer) = source.downcast_ref::<tokio_postgres::Error>().and_then(|error| error.as_db_error()) {
            // Invalid authorization, insufficient resources.
            if ["28", "53"].iter().any(|class| answer.code().code().starts_with(class)) {
                return Severity::Unavailable;
            }
        }
        if let Some(error) = source.downcast_ref::<mongodb::error::Error>() {
            let is_refusal = mongo::answer(error).is_some_and(|(code, _)| MONGODB_REFUSALS.contains(&code));
            if is_refusal || matches!(*error.kind, mongodb::error::ErrorKind::Authentication { .. }) {
                return Severity::Unavailable;
            }
        }
        next = source.source();
    }
    match error {
        Error::Unavailable { .. } => Severity::Unavailable,
        error if error.is_transient() => Severity::Transient,
        _ => Severity::Permanent,
    }
}

/// A sentence for super-admins. From a server's message it copies only parts that cannot contain a secret, an address or a row.
fn describe(error: &Error) -> String {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(error) = source.downcast_ref::<tokio_postgres::Error>()
            && let Some(answer) = error.as_db_error()
        {
            let (code, message) = (answer.code().code(), answer.message());
            return format!("{} answered: {message} (SQLSTATE {code})", Dependency::PostgreSql);
        }
        if let Some((code, name)) = source.downcast_ref::<mongodb::error::Error>().and_then(mongo::answer) {
            return format!("{} answered: {name} (code {code})", Dependency::MongoDb);
        }
        next = source.source();
    }
    match error {
        Error::Unavailable { dependency, .. } => {
            format!("{dependency} could not be reached, or did not answer in time")
        }
        Error::Internal(_) => "Internal error; the log of provision-tenant contains the details".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
