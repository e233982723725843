//! The tenant's own record of impersonations, in the tenant's PostgreSQL database, where its admins read them.

use deadpool_postgres::GenericClient;

use crate::{error::Result, impersonations::Impersonation};

/// Records an impersonation. `false` when nothing was recorded because the user is no longer active.
pub async fn insert(client: &impl GenericClient, impersonation: &Impersonation) -> Result<bool> {
    let statement = client
        .prepare_cached(
            // The lock prevents a deactivation of the user until this commits.
            "INSERT INTO impersonations (id, user_id, super_admin, reason, ticket, access, started_at, expires_at)
             SELECT $1, id, $3, $4, $5, $6, $7, $8 FROM users WHERE id = $2 AND status = 'active' FOR SHARE",
        )
        .await?;
    let recorded = client
        .execute(
            &statement,
            &[
                &impersonation.id,
                &impersonation.user_id,
                &impersonation.admin_email.as_ref().unwrap_or(&impersonation.admin_id),
                &impersonation.reason,
                &impersonation.ticket,
                &impersonation.access,
                &impersonation.started_at,
                &impersonation.expires_at,
            ],
        )
        .await?;
    Ok(recorded == 1)
}
