//! Use case: compare a tenant's stored usage with its limits, because those have changed.

use crate::{
    clients::postgres::Connection,
    error::Result,
    types::{Month, TenantId},
    usage::{announce::announce, store},
};

/// Enqueues the events of limits that the tenant has reached, or is below again. Returns their number.
pub async fn compare_with_limits(platform: &mut Connection, tenant_id: TenantId) -> Result<usize> {
    let transaction = platform.transaction().await?;
    let month = Month::current();
    let Some(observed) = store::limits::find_usage(&transaction, tenant_id, month).await? else { return Ok(0) };
    let announced = announce(&transaction, month, &[observed]).await?;
    transaction.commit().await?;
    Ok(announced.reached.len() + announced.below.len())
}
