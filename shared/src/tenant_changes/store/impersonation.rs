//! The impersonation that starts with a change, in the platform database.

use deadpool_postgres::{GenericClient, Transaction};

use crate::{error::Result, revocations::EndReason, types::ImpersonationId};

/// Makes an impersonation live. `false` when it has ended or expired before.
pub async fn begin(transaction: &Transaction<'_>, id: ImpersonationId) -> Result<bool> {
    let statement = transaction
        .prepare_cached(
            "UPDATE impersonations
             SET recorded_at = greatest(clock_timestamp(), started_at), revision = revision + 1
             WHERE id = $1 AND recorded_at IS NULL AND ended_at IS NULL AND expires_at > now()",
        )
        .await?;
    Ok(transaction.execute(&statement, &[&id]).await? == 1)
}

/// Ends an impersonation that is not live yet. Does nothing when it is live, or has ended.
pub async fn end_unrecorded(client: &impl GenericClient, id: ImpersonationId, reason: EndReason) -> Result<()> {
    let statement = client
        .prepare_cached(
            "UPDATE impersonations
             SET ended_at = greatest(clock_timestamp(), started_at), ended_by = 'system', end_reason = $2,
                 revision = revision + 1
             WHERE id = $1 AND recorded_at IS NULL AND ended_at IS NULL",
        )
        .await?;
    client.execute(&statement, &[&id, &reason]).await?;
    Ok(())
}
