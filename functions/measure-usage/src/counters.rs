//! Takes the live counters into the platform database.

use shared::{
    error::Result,
    types::Month,
    usage::store::{count_messages, list_active},
    worker::Deadline,
};

use crate::App;

/// Tenants whose counters are taken together.
const CHUNK: i64 = 1000;

/// Takes the counters of all active tenants, until all are or the time is up. `taken` counts those that were news.
pub(crate) async fn take(app: &App, deadline: Deadline, taken: &mut usize) -> Result<()> {
    let mut connection = app.platform.get().await?;
    let mut after = None;
    while !deadline.is_near() {
        let tenants = list_active(&connection, after, CHUNK).await?;
        let Some(last) = tenants.last().copied() else { break };
        let month = Month::current();
        let counters = app.counters.messages(tenants.iter().copied(), month).await?;
        let counters: Vec<_> = tenants.iter().copied().zip(counters).collect();
        let transaction = connection.transaction().await?;
        // Another run is at it.
        let Some(counted) = count_messages(&transaction, month, &counters).await? else { break };
        transaction.commit().await?;
        *taken += counted.changed;
        for threshold in counted.passed {
            tracing::info!(tenant.id = %threshold.tenant_id, percent = threshold.percent, "a threshold of messages is passed");
        }
        if i64::try_from(tenants.len()).is_ok_and(|count| count < CHUNK) {
            break;
        }
        after = Some(last);
    }
    Ok(())
}
