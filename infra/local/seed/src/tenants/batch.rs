//! Tenants that are committed in one transaction.

use shared::{
    clients::redis::Redis,
    error::{Error, Result},
    tenants::OnLimit,
};
use tokio_postgres::Client;

use crate::{
    counters::{self, MessageCounter},
    rows::{
        SeededAuditEntry, SeededDay, SeededDirectoryEntry, SeededOperation, SeededPendingAdmin, SeededReachedLimit,
        SeededStep, SeededTenant, SeededThreshold, SeededUsage, copy,
    },
    written::WrittenRows,
};

/// All rows of a number of tenants.
#[derive(Debug, Default)]
pub(super) struct TenantBatch {
    pub(super) tenants: Vec<SeededTenant>,
    pub(super) pending_admins: Vec<SeededPendingAdmin>,
    pub(super) operations: Vec<SeededOperation>,
    pub(super) steps: Vec<SeededStep>,
    pub(super) audit: Vec<SeededAuditEntry>,
    pub(super) usage: Vec<SeededUsage>,
    pub(super) days: Vec<SeededDay>,
    pub(super) thresholds: Vec<SeededThreshold>,
    pub(super) directory: Vec<SeededDirectoryEntry>,
    pub(super) counters: Vec<MessageCounter>,
}

/// Creates the temporary table that batches copy usage to.
pub(super) async fn prepare(client: &Client) -> Result<()> {
    client
        .batch_execute(
            "CREATE TEMPORARY TABLE seeded_usage ON COMMIT DELETE ROWS AS SELECT * FROM tenant_usage WITH NO DATA",
        )
        .await?;
    Ok(())
}

/// Removes dead rows and updates the planner's statistics, as autovacuum does over time.
pub(super) async fn finish(client: &Client) -> Result<()> {
    client
        .batch_execute(
            "VACUUM (ANALYZE) tenants, tenant_usage, usage_thresholds, user_directory, operations, operation_steps, audit",
        )
        .await?;
    client.batch_execute("DROP TABLE seeded_usage").await?;
    Ok(())
}

impl TenantBatch {
    /// The limits that the usage has reached, as already reported.
    fn reached_limits(&self) -> Vec<SeededReachedLimit> {
        let whole = self.thresholds.iter().filter(|threshold| threshold.percent == 100);
        let limit = |threshold: &SeededThreshold| SeededReachedLimit {
            tenant_id: threshold.tenant_id,
            figure: threshold.figure,
            reached_at: threshold.reached_at,
            on_limit: OnLimit::Notify.as_str(),
        };
        whole.map(limit).collect()
    }

    /// Commits the rows in one transaction, then writes the counters to Redis, which may lose them at any time.
    pub(super) async fn commit(&self, client: &mut Client, redis: Option<&Redis>) -> Result<WrittenRows> {
        let transaction = client.transaction().await?;
        let mut written = WrittenRows::default();
        written.count("tenants", copy(&transaction, &self.tenants).await?);
        copy(&transaction, &self.usage).await?;
        let usage = "UPDATE tenant_usage AS u
                     SET agents = s.agents, agents_online = s.agents_online, contacts = s.contacts,
                         storage_bytes = s.storage_bytes, channels = s.channels, month = s.month,
                         messages_measured = s.messages_measured, messages_counted = s.messages_counted,
                         measured_at = s.measured_at, error = s.error, failed_at = s.failed_at, due_at = s.due_at
                     FROM seeded_usage AS s
                     WHERE u.tenant_id = s.tenant_id";
        let updated = transaction.execute(usage, &[]).await?;
        if updated != self.usage.len() as u64 {
            return Err(Error::internal(format!("{} tenants have {updated} usage rows", self.usage.len())));
        }
        written.count("usage", updated);
        written.count("days of usage", copy(&transaction, &self.days).await?);
        written.count("thresholds", copy(&transaction, &self.thresholds).await?);
        copy(&transaction, &self.reached_limits()).await?;
        written.count("users in the directory", copy(&transaction, &self.directory).await?);
        written.count("pending admins", copy(&transaction, &self.pending_admins).await?);
        written.count("operations", copy(&transaction, &self.operations).await?);
        written.count("steps", copy(&transaction, &self.steps).await?);
        written.count("audit entries", copy(&transaction, &self.audit).await?);
        transaction.commit().await?;
        if let Some(redis) = redis {
            written.count("live counters", counters::write(redis, &self.counters).await?);
        }
        Ok(written)
    }
}
