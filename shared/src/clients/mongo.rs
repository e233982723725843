use mongodb::{
    Client,
    error::{Error as MongoError, ErrorKind},
    options::{Acknowledgment, ClientOptions, WriteConcern},
};
use secrecy::ExposeSecret;

use crate::{
    config::MongoConfig,
    error::{Dependency, Error, Result},
};

/// A client of one replica set. It connects in the background and at first use. Writes are acknowledged by a majority, after
/// they are journaled.
pub async fn connect(config: &MongoConfig) -> Result<Client> {
    let mut options = ClientOptions::parse(config.url.expose_secret())
        .await
        // The parser's message may contain the password.
        .map_err(|_| Error::internal("the MongoDB connection string is not usable"))?;
    options.app_name.get_or_insert_with(|| "landlord".to_owned());
    options.server_selection_timeout = Some(config.timeout);
    options.connect_timeout = Some(config.timeout);
    options.max_pool_size.get_or_insert(8);
    options.write_concern =
        Some(WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(config.timeout).build());
    Ok(Client::with_options(options)?)
}

impl From<MongoError> for Error {
    fn from(error: MongoError) -> Self {
        // Labels of the server or the driver on errors after which the same call may succeed.
        let labelled = [
            mongodb::error::RETRYABLE_WRITE_ERROR,
            mongodb::error::TRANSIENT_TRANSACTION_ERROR,
            mongodb::error::UNKNOWN_TRANSACTION_COMMIT_RESULT,
        ]
        .iter()
        .any(|label| error.contains_label(label));
        let transient = labelled
            || match &*error.kind {
                ErrorKind::Io(_)
                | ErrorKind::ConnectionPoolCleared { .. }
                | ErrorKind::ServerSelection { .. }
                | ErrorKind::DnsResolve { .. }
                | ErrorKind::Shutdown => true,
                // HostUnreachable, HostNotFound, NetworkTimeout, MaxTimeMSExpired, LockTimeout, ShutdownInProgress,
                // PrimarySteppedDown, NotWritablePrimary, InterruptedAtShutdown, Interrupted, InterruptedDueToReplStateChange,
                // NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary, WriteConcernFailed, ExceededTimeLimit,
                // DatabaseDropPending, WriteConflict
                ErrorKind::Command(command) => {
                    [6, 7, 89, 50, 24, 91, 189, 10_107, 11_600, 11_601, 11_602, 13_435, 13_436, 64, 262, 215, 112]
                        .contains(&command.code)
                }
                _ => false,
            };
        if transient { Self::unavailable(Dependency::MongoDb, error) } else { Self::internal(error) }
    }
}
