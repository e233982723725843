//! SQL of restores and promotions.

use deadpool_postgres::{GenericClient, Transaction};

use crate::{
    error::{Result, UNSETTLED_SECONDS},
    types::TenantId,
};

/// Whether no change of a tenant's databases is in progress: none is open, and no request that found the tenant active can still begin one.
pub async fn is_settled(client: &impl GenericClient, id: TenantId) -> Result<bool> {
    let statement = client
        .prepare_cached(
            "SELECT NOT EXISTS (SELECT FROM tenant_changes WHERE tenant_id = $1)
                 AND coalesce((suspension ->> 'requested_at')::timestamptz < clock_timestamp() - make_interval(secs => $2), true)
             FROM tenants WHERE id = $1",
        )
        .await?;
    Ok(client.query_one(&statement, &[&id, &f64::from(UNSETTLED_SECONDS)]).await?.try_get(0)?)
}

/// Has the usage and the user directory of tenants measured with the next run. A measurement in progress, which reads the databases that
/// they had before, is not recorded.
pub async fn measure_soon(transaction: &Transaction<'_>, ids: &[TenantId]) -> Result<()> {
    let due = transaction
        .prepare_cached("UPDATE tenant_usage SET due_at = now(), epoch = epoch + 1 WHERE tenant_id = ANY($1)")
        .await?;
    transaction.execute(&due, &[&ids]).await?;
    // Each store has a time before which it is not measured again.
    let stores = transaction
        .prepare_cached("UPDATE tenant_measurements SET not_before = now() WHERE tenant_id = ANY($1)")
        .await?;
    transaction.execute(&stores, &[&ids]).await?;
    Ok(())
}
