//! Tenants that are committed together.

use shared::{
    clients::redis::Redis,
    error::{Error, Result},
};
use tokio_postgres::Client;

use crate::{
    Written,
    counters::{self, Counter},
    rows::{AuditEntry, Operation, OperationStep, Organization, PendingAdmin, Threshold, Usage, copy},
};

/// Rows of tenants, whole ones.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) tenants: Vec<Organization>,
    pub(super) pending_admins: Vec<PendingAdmin>,
    pub(super) operations: Vec<Operation>,
    pub(super) steps: Vec<OperationStep>,
    pub(super) audit: Vec<AuditEntry>,
    pub(super) usage: Vec<Usage>,
    pub(super) thresholds: Vec<Threshold>,
    pub(super) counters: Vec<Counter>,
}

/// Makes what batches are committed through.
pub(super) async fn prepare(client: &Client) -> Result<()> {
    client
        .batch_execute(
            "CREATE TEMPORARY TABLE seeded_usage ON COMMIT DELETE ROWS AS SELECT * FROM tenant_usage WITH NO DATA",
        )
        .await?;
    Ok(())
}

/// Leaves the tables as they are after weeks of work: without dead rows, and known to the planner.
pub(super) async fn settle(client: &Client) -> Result<()> {
    client
        .batch_execute("VACUUM (ANALYZE) tenants, tenant_usage, usage_thresholds, operations, operation_steps, audit")
        .await?;
    client.batch_execute("DROP TABLE seeded_usage").await?;
    Ok(())
}

impl Batch {
    /// Commits all of it in one transaction. What Redis is told may be lost, so it comes after.
    pub(super) async fn commit(&self, client: &mut Client, redis: Option<&Redis>) -> Result<Written> {
        let transaction = client.transaction().await?;
        let mut written = Written::default();
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
            return Err(Error::internal(format!("{updated} rows of usage are there for {}", self.usage.len())));
        }
        written.count("usage", updated);
        written.count("thresholds", copy(&transaction, &self.thresholds).await?);
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
