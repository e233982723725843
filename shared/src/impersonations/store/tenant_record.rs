//! The tenant's own record of impersonations, in the tenant's PostgreSQL database, where its admins read them.

use deadpool_postgres::GenericClient;
use tokio_postgres::types::ToSql;

use crate::{
    error::Result,
    impersonations::Impersonation,
    sql,
    tenant_changes::store::marker::{self, Marker},
};

/// Records an impersonation and inserts the marker of its start, in one statement. `false` when nothing was recorded because
/// the user is no longer active.
pub async fn insert(client: &impl GenericClient, impersonation: &Impersonation, marker: &Marker<'_>) -> Result<bool> {
    let statement = client
        .prepare_cached(sql::text!(
            "WITH ",
            marker::PRUNE,
            // The lock prevents a deactivation of the user until this commits.
            ", recorded AS (
                 INSERT INTO impersonations (id, user_id, super_admin, reason, ticket, access, started_at, expires_at)
                 SELECT $5, id, $7, $8, $9, $10, $11, $12 FROM users WHERE id = $6 AND status = 'active' AND ",
            marker::IN_TIME,
            " FOR SHARE
                 RETURNING id
             )
             INSERT INTO changes (id, result) SELECT $1::uuid, $2::jsonb FROM recorded"
        ))
        .await?;
    let record: [&(dyn ToSql + Sync); 8] = [
        &impersonation.id,
        &impersonation.user_id,
        &impersonation.admin_email.as_ref().unwrap_or(&impersonation.admin_id),
        &impersonation.reason,
        &impersonation.ticket,
        &impersonation.access,
        &impersonation.started_at,
        &impersonation.expires_at,
    ];
    let values = [&marker.values()[..], &record[..]].concat();
    let recorded = client.execute(&statement, &values).await.map_err(marker::refusal)?;
    Ok(recorded == 1)
}
