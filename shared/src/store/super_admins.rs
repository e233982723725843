//! Super-admins: the operators of the platform.

use deadpool_postgres::GenericClient;

use crate::{
    domain::{AdminId, EmailAddress},
    error::Result,
};

/// What signing in needs to know.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Who.
    pub id: AdminId,
    /// Argon2id in the PHC string format.
    pub password_hash: String,
}

/// The credentials of an enabled super-admin, by e-mail without regard to case.
pub async fn find_credentials(client: &impl GenericClient, email: &str) -> Result<Option<Credentials>> {
    let statement = client
        .prepare_cached(
            "SELECT id, password_hash FROM super_admins WHERE lower(email) = lower($1) AND disabled_at IS NULL",
        )
        .await?;
    let Some(row) = client.query_opt(&statement, &[&email]).await? else { return Ok(None) };
    Ok(Some(Credentials { id: AdminId(row.try_get(0)?), password_hash: row.try_get(1)? }))
}

/// Whether there is a super-admin.
pub async fn exists(client: &impl GenericClient) -> Result<bool> {
    Ok(client.query_one("SELECT EXISTS (SELECT FROM super_admins)", &[]).await?.try_get(0)?)
}

/// Inserts the first super-admin; `false` when there is one already.
pub async fn insert_first(client: &impl GenericClient, email: &EmailAddress, password_hash: &str) -> Result<bool> {
    let statement = client
        .prepare_cached(
            "INSERT INTO super_admins (id, email, password_hash)
             SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM super_admins)",
        )
        .await?;
    let inserted = client.execute(&statement, &[&AdminId::generate().0, &email.as_str(), &password_hash]).await?;
    Ok(inserted == 1)
}
