//! Credentials, and the first account.

use deadpool_postgres::GenericClient;

use crate::{
    error::Result,
    sql::{self, Columns},
    types::{EmailAddress, SuperAdminId},
};

#[derive(Debug, Clone)]
pub struct StoredCredentials {
    pub id: SuperAdminId,
    /// Argon2id in the PHC string format.
    pub password_hash: String,
    pub must_change_password: bool,
    /// The epoch of new sessions.
    pub session_epoch: i32,
}

sql::columns! {
    CredentialsColumns -> StoredCredentials {
        id: "id",
        password_hash: "password_hash",
        must_change_password: "must_change_password",
        session_epoch: "session_epoch",
    }
}

/// The credentials of the active super-admin with this e-mail address. `None` also for a super-admin who signs in at the
/// identity provider.
pub async fn find_credentials(client: &impl GenericClient, email: &EmailAddress) -> Result<Option<StoredCredentials>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            CredentialsColumns::LIST,
            " FROM super_admins
             WHERE email = $1 AND disabled_at IS NULL AND password_hash IS NOT NULL"
        ))
        .await?;
    client.query_opt(&statement, &[email]).await?.map(|row| CredentialsColumns::read(&row)).transpose()
}

/// The credentials of an active super-admin. `None` also for one who signs in at the identity provider.
pub async fn find_own_credentials(client: &impl GenericClient, id: SuperAdminId) -> Result<Option<StoredCredentials>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            CredentialsColumns::LIST,
            " FROM super_admins
             WHERE id = $1 AND disabled_at IS NULL AND password_hash IS NOT NULL"
        ))
        .await?;
    client.query_opt(&statement, &[&id]).await?.map(|row| CredentialsColumns::read(&row)).transpose()
}

/// Whether any super-admin exists.
pub async fn exists(client: &impl GenericClient) -> Result<bool> {
    Ok(client.query_one("SELECT EXISTS (SELECT FROM super_admins)", &[]).await?.try_get(0)?)
}

/// Inserts an owner, unless a super-admin exists. The password is not temporary. Returns whether it did.
pub async fn insert_first(client: &impl GenericClient, email: &EmailAddress, password_hash: &str) -> Result<bool> {
    let statement = client
        .prepare_cached(
            "INSERT INTO super_admins (id, email, password_hash, role)
             SELECT $1, $2, $3, 'owner' WHERE NOT EXISTS (SELECT FROM super_admins)",
        )
        .await?;
    let inserted = client.execute(&statement, &[&SuperAdminId::generate(), email, &password_hash]).await?;
    Ok(inserted == 1)
}
