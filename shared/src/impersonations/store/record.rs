//! The tenant's own record of those who acted in the name of its agents, in the tenant's PostgreSQL database.

use deadpool_postgres::GenericClient;
use time::OffsetDateTime;

use crate::{
    error::Result,
    impersonations::Impersonation,
    types::{ImpersonationId, UserId},
};

/// Records an impersonation; `false` when the agent is not active any more, and nothing is recorded.
pub async fn insert(client: &impl GenericClient, impersonation: &Impersonation) -> Result<bool> {
    let statement = client
        .prepare_cached(
            // The lock keeps the agent active until this is committed.
            "INSERT INTO impersonations (id, user_id, super_admin, reason, ticket, access, started_at, expires_at)
             SELECT $1, id, $3, $4, $5, $6, $7, $8 FROM users WHERE id = $2 AND status = 'active' FOR SHARE",
        )
        .await?;
    let recorded = client
        .execute(
            &statement,
            &[
                &impersonation.id.0,
                &impersonation.user_id.0,
                &impersonation.admin_email.as_ref().unwrap_or(&impersonation.admin_id),
                &impersonation.reason,
                &impersonation.ticket,
                &impersonation.access.as_str(),
                &impersonation.started_at,
                &impersonation.expires_at,
            ],
        )
        .await?;
    Ok(recorded == 1)
}

/// Records the end of an impersonation.
pub async fn end(client: &impl GenericClient, id: ImpersonationId, ended_at: OffsetDateTime) -> Result<()> {
    let statement = client
        .prepare_cached(
            "UPDATE impersonations SET ended_at = greatest($2, started_at) WHERE id = $1 AND ended_at IS NULL",
        )
        .await?;
    client.execute(&statement, &[&id.0, &ended_at]).await?;
    Ok(())
}

/// Records the ends of those in the name of an agent, with the agent's deactivation.
pub async fn end_of_user(client: &impl GenericClient, user_id: UserId) -> Result<()> {
    let statement = client
        .prepare_cached(
            "UPDATE impersonations SET ended_at = greatest(now(), started_at)
             WHERE user_id = $1 AND ended_at IS NULL AND expires_at > now()",
        )
        .await?;
    client.execute(&statement, &[&user_id.0]).await?;
    Ok(())
}
