//! SQL of provisioning in the tenant's own PostgreSQL database.

use secrecy::ExposeSecret;
use tokio_postgres::{Client, Error};

use crate::tenants::store::PendingAdmin;

/// Name of the first user until they change it, because the request for a tenant contains none.
const FULL_NAME: &str = "Administrator";

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
