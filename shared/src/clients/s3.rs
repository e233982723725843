//! S3, or MinIO.

use std::{path::PathBuf, time::Duration};

use aws_sdk_s3::{Client, config::Builder};
use tokio::sync::OnceCell;

use crate::clients::{authorities, aws::Attempts};
use crate::{
    config::{ConfigError, S3Config},
    error::{Dependency, Error},
};

/// The bucket of the tenants. Its client is created at first use.
pub struct Bucket {
    pub name: String,
    force_path_style: bool,
    attempts: Attempts,
    client: OnceCell<Client>,
}

impl Bucket {
    /// Opens no connection yet.
    pub fn connect(config: &S3Config) -> Result<Self, ConfigError> {
        Self::with(config, Attempts::new(Duration::from_secs(3), 2))
    }

    /// As [`Self::connect`], with other deadlines.
    pub fn with(config: &S3Config, attempts: Attempts) -> Result<Self, ConfigError> {
        let (name, force_path_style) = (config.bucket.clone(), config.force_path_style);
        let authorities = |path: &PathBuf| authorities::read_pem("AWS_CA_BUNDLE", path);
        let authorities = config.ca_file.as_ref().map(authorities).transpose()?;
        Ok(Self { name, force_path_style, attempts: Attempts { authorities, ..attempts }, client: OnceCell::new() })
    }

    pub async fn client(&self) -> &Client {
        self.client
            .get_or_init(|| async {
                let config = self.attempts.load().await;
                Client::from_conf(Builder::from(&config).force_path_style(self.force_path_style).build())
            })
            .await
    }
}

/// A rejected call is an internal error, because its cause is our configuration; other failures are temporary.
impl<E, R> From<aws_sdk_s3::error::SdkError<E, R>> for Error
where
    E: std::error::Error + Send + Sync + aws_sdk_s3::error::ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    fn from(error: aws_sdk_s3::error::SdkError<E, R>) -> Self {
        let refused = matches!(
            error.as_service_error().and_then(aws_sdk_s3::error::ProvideErrorMetadata::code),
            Some(
                "AccessDenied" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "NoSuchBucket" | "InvalidBucketName"
            )
        );
        if refused { Self::internal(error) } else { Self::unavailable(Dependency::S3, error) }
    }
}
