//! Ends of impersonations in the tenant's own PostgreSQL database, where the tenant's admins read them.

use deadpool_postgres::GenericClient;
use time::OffsetDateTime;

use crate::{
    error::Result,
    types::{ImpersonationId, UserId},
};

/// Records the end of one impersonation.
pub async fn end_one(client: &impl GenericClient, id: ImpersonationId, ended_at: OffsetDateTime) -> Result<()> {
    let statement = client
        .prepare_cached(
            "UPDATE impersonations SET ended_at = greatest($2, started_at) WHERE id = $1 AND ended_at IS NULL",
        )
        .await?;
    client.execute(&statement, &[&id, &ended_at]).await?;
    Ok(())
}

/// Records the end of a user's impersonations, together with the user's deactivation.
pub async fn end_of_user(client: &impl GenericClient, user_id: UserId) -> Result<()> {
    let statement = client
        .prepare_cached(
            "UPDATE impersonations SET ended_at = greatest(now(), started_at)
             WHERE user_id = $1 AND ended_at IS NULL AND expires_at > now()",
        )
        .await?;
    client.execute(&statement, &[&user_id]).await?;
    Ok(())
}
