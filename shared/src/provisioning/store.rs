//! SQL of provisioning on the tenants' PostgreSQL clusters.

use secrecy::ExposeSecret;
use tokio_postgres::{Client, Error};

use crate::tenants::{TENANT_TEMPLATE_PREFIX, store::PendingAdmin};

/// Name of the first user until they change it, because the request for a tenant contains none.
pub(super) const FULL_NAME: &str = "Administrator";

/// The newest schema version, up to a limit, whose template exists on a cluster.
pub(super) async fn find_newest_template(client: &Client, limit: i32) -> Result<Option<i32>, Error> {
    let pattern = format!("^{TENANT_TEMPLATE_PREFIX}([0-9]{{1,9}})$");
    client
        .query_one(
            "SELECT max(version)
             FROM (SELECT substring(datname FROM $1)::integer AS version FROM pg_database WHERE datistemplate) AS templates
             WHERE version <= $2",
            &[&pattern, &limit],
        )
        .await?
        .try_get(0)
}

/// Inserts the tenant's first user, unless the user exists. The password is temporary, because the request contained it. The id was chosen in advance, so a late second attempt finds the user
/// even if their e-mail address was changed.
pub(super) async fn insert_admin(client: &Client, admin: &PendingAdmin) -> Result<(), Error> {
    client
        .execute(
            "INSERT INTO users (id, email, full_name, role, password_hash, must_change_password)
             VALUES ($1, $2, $3, 'admin', $4, true)
             ON CONFLICT (id) DO NOTHING",
            &[&admin.user_id, &admin.email, &FULL_NAME, &admin.password_hash.expose_secret()],
        )
        .await?;
    Ok(())
}
