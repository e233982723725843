//! Signing in.

use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

use crate::{
    error::{Error, Result},
    types::{EmailAddress, SuperAdminId, SuperAdminRole},
};

/// What signing in needs to know.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Who.
    pub id: SuperAdminId,
    /// Argon2id in the PHC string format.
    pub password_hash: String,
    /// The sessions that begin now are of this epoch.
    pub session_epoch: i32,
}

/// The credentials of an enabled super-admin, by e-mail without regard to case.
pub async fn find_credentials(client: &impl GenericClient, email: &str) -> Result<Option<Credentials>> {
    let statement = client
        .prepare_cached(
            "SELECT id, password_hash, session_epoch
             FROM super_admins
             WHERE lower(email) = lower($1) AND disabled_at IS NULL AND password_hash IS NOT NULL",
        )
        .await?;
    client.query_opt(&statement, &[&email]).await?.map(|row| read_credentials(&row)).transpose()
}

/// The credentials of an enabled super-admin; `None` for one who signs in at the identity provider.
pub async fn find_own_credentials(client: &impl GenericClient, id: SuperAdminId) -> Result<Option<Credentials>> {
    let statement = client
        .prepare_cached(
            "SELECT id, password_hash, session_epoch
             FROM super_admins
             WHERE id = $1 AND disabled_at IS NULL AND password_hash IS NOT NULL",
        )
        .await?;
    client.query_opt(&statement, &[&id.0]).await?.map(|row| read_credentials(&row)).transpose()
}

fn read_credentials(row: &Row) -> Result<Credentials> {
    Ok(Credentials {
        id: SuperAdminId(row.try_get(0)?),
        password_hash: row.try_get(1)?,
        session_epoch: row.try_get(2)?,
    })
}

pub(super) fn read_role(text: &str) -> Result<SuperAdminRole> {
    SuperAdminRole::from_text(text).ok_or_else(|| Error::internal(format!("unknown role `{text}` of a super-admin")))
}

/// Whether there is a super-admin.
pub async fn exists(client: &impl GenericClient) -> Result<bool> {
    Ok(client.query_one("SELECT EXISTS (SELECT FROM super_admins)", &[]).await?.try_get(0)?)
}

/// Inserts the first super-admin, an owner; `false` when there is one already.
pub async fn insert_first(client: &impl GenericClient, email: &EmailAddress, password_hash: &str) -> Result<bool> {
    let statement = client
        .prepare_cached(
            "INSERT INTO super_admins (id, email, password_hash, role)
             SELECT $1, $2, $3, 'owner' WHERE NOT EXISTS (SELECT FROM super_admins)",
        )
        .await?;
    let inserted = client.execute(&statement, &[&SuperAdminId::generate().0, &email.as_str(), &password_hash]).await?;
    Ok(inserted == 1)
}
