//! The first super-admin, created from the configuration.

use deadpool_postgres::GenericClient;
use secrecy::ExposeSecret;

use crate::{
    config::{ConfigError, FirstAdminConfig},
    error::{Error, Result},
    passwords,
    super_admins::store,
    types::{EmailAddress, NewPassword},
};

/// Creates an owner if no super-admin exists. Returns whether it did. The configuration is validated only then, so that a
/// later deployment does not fail because of values that are no longer used.
///
/// The password is not temporary. It comes from the operator of the deployment, who has the login of the platform database and
/// needs no password to act as an owner; and an unattended deployment can continue with it.
pub async fn create_first(client: &impl GenericClient, config: &FirstAdminConfig) -> Result<bool> {
    if store::exists(client).await? {
        return Ok(false);
    }
    let invalid = |variable, error| Error::internal(ConfigError::invalid(variable, error));
    let email = EmailAddress::parse(&config.email).map_err(|error| invalid("FIRST_ADMIN_EMAIL", error))?;
    let password =
        NewPassword::parse(config.password.expose_secret()).map_err(|error| invalid("FIRST_ADMIN_PASSWORD", error))?;
    let password_hash = passwords::hash(password.expose()).await?;
    store::insert_first(client, &email, &password_hash).await
}
