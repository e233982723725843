//! MongoDB, or Amazon DocumentDB.

use std::{env, fs, io, path::PathBuf, process};

use mongodb::{
    Client,
    error::{Error as MongoError, ErrorKind, WriteFailure},
    options::{Acknowledgment, ClientOptions, Tls, WriteConcern},
};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    clients::authorities,
    config::{ConfigError, MongoSettings},
    error::{Dependency, Error, Result},
};

/// A replica set.
#[derive(Debug, Clone)]
pub struct MongoServer {
    url: SecretString,
    settings: MongoSettings,
}

impl MongoServer {
    /// Checks the settings; opens no connection yet.
    pub fn new(url: &SecretString, settings: &MongoSettings) -> Result<Self, ConfigError> {
        if let Some(path) = &settings.ca_file {
            authorities::read_pem("MONGODB_CA_FILE", path)?;
        }
        Ok(Self { url: url.clone(), settings: settings.clone() })
    }

    /// A client, which connects in the background and at first use. Writes are acknowledged by a majority, after they are
    /// journaled.
    pub async fn connect(&self) -> Result<Client> {
        let timeout = self.settings.timeout;
        let mut options = ClientOptions::parse(self.url.expose_secret())
            .await
            // The parser's message may contain the password.
            .map_err(|_| Error::internal("the MongoDB connection string is not usable"))?;
        options.app_name.get_or_insert_with(|| "landlord".to_owned());
        options.server_selection_timeout = Some(timeout);
        options.connect_timeout = Some(timeout);
        options.max_pool_size.get_or_insert(8);
        options.write_concern =
            Some(WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(timeout).build());
        self.trust(&mut options)?;
        Ok(Client::with_options(options)?)
    }

    /// Sets the authorities, unless the URL names a file of them.
    fn trust(&self, options: &mut ClientOptions) -> Result<()> {
        let amazon = options.hosts.iter().any(|host| is_document_db(&host.to_string()));
        if let Some(Tls::Enabled(tls)) = &mut options.tls
            && tls.ca_file_path.is_none()
        {
            tls.ca_file_path = match &self.settings.ca_file {
                Some(path) => Some(path.clone()),
                None if amazon => Some(amazon_authorities().map_err(Error::internal)?),
                None => None,
            };
        }
        Ok(())
    }
}

/// Whether a `host:port` belongs to Amazon DocumentDB, whose authorities are Amazon's own.
fn is_document_db(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    [".docdb.amazonaws.com", ".docdb-elastic.amazonaws.com", ".docdb.amazonaws.com.cn"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Writes the authorities of Amazon's databases to a file, because the driver reads authorities from files only.
fn amazon_authorities() -> io::Result<PathBuf> {
    let path = env::temp_dir().join(format!("landlord-{}-aws-databases.pem", process::id()));
    fs::write(&path, include_str!("../../certificates/aws-databases.pem"))?;
    Ok(path)
}

/// The code in the server's answer, and its name. An answer about the write concern counts: the server has written, and then could not
/// confirm that a majority has.
pub fn answer(error: &MongoError) -> Option<(i32, &str)> {
    match &*error.kind {
        ErrorKind::Command(answer) => Some((answer.code, &answer.code_name)),
        ErrorKind::Write(WriteFailure::WriteConcernError(answer)) => Some((answer.code, &answer.code_name)),
        _ => None,
    }
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
                | ErrorKind::Shutdown
                // The write can be repeated. Its session was ended before the confirmation, or the primary stepped down.
                | ErrorKind::Write(WriteFailure::WriteConcernError(_)) => true,
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

#[cfg(test)]
mod tests {
    use super::*;

    async fn authorities_for(url: &str, ca_file: Option<&str>) -> Option<PathBuf> {
        let settings =
            MongoSettings { ca_file: ca_file.map(PathBuf::from), timeout: std::time::Duration::from_secs(1) };
        let mut options = ClientOptions::parse(url).await.unwrap();
        MongoServer { url: url.into(), settings }.trust(&mut options).unwrap();
        match options.tls {
            Some(Tls::Enabled(tls)) => tls.ca_file_path,
            _ => None,
        }
    }

    #[tokio::test]
    async fn amazons_authorities_are_for_document_db_only() {
        const DOCUMENT_DB: &str = "mongodb://a:b@c.cluster-d.eu-central-1.docdb.amazonaws.com:27017/?tls=true";
        let written = authorities_for(DOCUMENT_DB, None).await.unwrap();
        assert!(fs::read_to_string(written).unwrap().contains("BEGIN CERTIFICATE"));
        assert_eq!(authorities_for("mongodb://db.example/?tls=true", None).await, None);
        assert_eq!(authorities_for("mongodb://docdb.amazonaws.com.example/?tls=true", None).await, None);
    }

    #[tokio::test]
    async fn the_file_in_the_url_comes_before_the_one_of_the_variable() {
        let path = authorities_for("mongodb://db.example/?tls=true&tlsCAFile=/url.pem", Some("/variable.pem")).await;
        assert_eq!(path, Some(PathBuf::from("/url.pem")));
        let path = authorities_for("mongodb://db.example/?tls=true", Some("/variable.pem")).await;
        assert_eq!(path, Some(PathBuf::from("/variable.pem")));
    }
}
