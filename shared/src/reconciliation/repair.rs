//! Repairs that are known to be safe. Each decides anew whether it still applies. A repair that begins an operation is recorded in the same
//! transaction, so that it is begun once, and not by a process whose lease was taken.

use time::OffsetDateTime;

use crate::{
    error::{Error, Result},
    events,
    operations::{self, OperationKind, store::NewOperation},
    reconciliation::{
        Reconciler, Repair,
        store::{
            RunLease,
            repair::{self, DueRepair, RepairOutcome},
        },
    },
    tenants::{self, TenantStatus},
    types::{Actor, OperationId},
};

/// Findings that are read at once.
const BATCH: i64 = 100;

impl Reconciler {
    /// Begins the repair of every finding that has one.
    pub(super) async fn repair(&self, lease: RunLease) -> Result<()> {
        let requested_by = repair::find_requester(&self.platform.get().await?, lease).await?;
        let actor = Actor { id: &requested_by, ..Actor::SYSTEM };
        let (mut is_redriven, mut is_for_relay) = (false, false);
        loop {
            let batch = repair::list_due(&self.platform.get().await?, lease, BATCH).await?;
            if batch.is_empty() {
                break;
            }
            for due in &batch {
                match due.repair {
                    Repair::Remove => self.remove(lease, due, &requested_by).await?,
                    Repair::Access => self.change_access(lease, due, &requested_by).await?,
                    Repair::Wake => {
                        let outcome = outcome(self.wake(due).await?);
                        repair::record(&self.platform.get().await?, lease, due, outcome).await?;
                    }
                    Repair::Settle | Repair::Relist => {
                        is_for_relay = true;
                        let client = self.platform.get().await?;
                        if due.repair == Repair::Settle {
                            repair::make_change_due(&client, id(due)?).await?;
                        }
                        repair::record(&client, lease, due, RepairOutcome::Begun(None)).await?;
                    }
                    Repair::Redrive => {
                        if !is_redriven {
                            self.dead_letters.redrive(&self.platform, actor, false).await?;
                            is_redriven = true;
                        }
                        repair::record(&self.platform.get().await?, lease, due, RepairOutcome::Begun(None)).await?;
                    }
                }
            }
        }
        if is_for_relay {
            self.dispatcher.poke_relay().await;
        }
        Ok(())
    }

    /// Begins an operation that removes what is left of databases, if they were given up.
    async fn remove(&self, lease: RunLease, due: &DueRepair, requested_by: &str) -> Result<()> {
        let mut connection = self.platform.get().await?;
        let (Some(name), Some(tenant_id)) = (due.database_name.as_deref(), due.tenant_id) else {
            return repair::record(&connection, lease, due, RepairOutcome::Changed).await;
        };
        let transaction = connection.transaction().await?;
        tenants::store::find_for_update(&transaction, tenant_id).await?;
        if !repair::begin_removal(&transaction, name).await? {
            // The other stores of the same databases may have findings, too.
            let cleanup = repair::find_cleanup(&transaction, name).await?;
            repair::record(&transaction, lease, due, outcome(cleanup)).await?;
            return Ok(transaction.commit().await?);
        }
        let new = NewOperation { tenant_id, database_name: name, kind: OperationKind::Cleanup, requested_by };
        let id = operations::store::insert(&transaction, new, OffsetDateTime::now_utc()).await?;
        events::store::enqueue_provision(&transaction, tenant_id, id).await?;
        repair::record(&transaction, lease, due, RepairOutcome::Begun(Some(id))).await?;
        transaction.commit().await?;
        self.dispatcher.send_provision(&connection, id).await;
        Ok(())
    }

    /// Begins an operation that makes the services' access what the tenant's status demands, if it demands one.
    async fn change_access(&self, lease: RunLease, due: &DueRepair, requested_by: &str) -> Result<()> {
        let mut connection = self.platform.get().await?;
        let Some(tenant_id) = due.tenant_id else {
            return repair::record(&connection, lease, due, RepairOutcome::Changed).await;
        };
        let transaction = connection.transaction().await?;
        let tenant = tenants::store::find_for_update(&transaction, tenant_id).await?;
        let kind = match tenant.status {
            TenantStatus::Active => OperationKind::Resume,
            TenantStatus::Suspended => OperationKind::Suspend,
            _ => {
                repair::record(&transaction, lease, due, RepairOutcome::Changed).await?;
                return Ok(transaction.commit().await?);
            }
        };
        let actor = Actor { id: requested_by, ..Actor::SYSTEM };
        let id = tenants::change_access(&transaction, &tenant, kind, actor).await?;
        repair::record(&transaction, lease, due, RepairOutcome::Begun(Some(id))).await?;
        transaction.commit().await?;
        self.dispatcher.send_provision(&connection, id).await;
        Ok(())
    }

    /// Sends the message about an open operation again. `None` if it has ended.
    async fn wake(&self, due: &DueRepair) -> Result<Option<OperationId>> {
        let operation_id = OperationId(id(due)?);
        let operation = operations::store::find(&self.platform.get().await?, operation_id).await?;
        if operation.has_ended() {
            return Ok(None);
        }
        self.dispatcher.wake_operation(operation_id, std::time::Duration::ZERO).await;
        Ok(Some(operation_id))
    }
}

/// The outcome of a repair that needs an operation.
fn outcome(operation: Option<OperationId>) -> RepairOutcome {
    operation.map_or(RepairOutcome::Changed, |id| RepairOutcome::Begun(Some(id)))
}

/// The id that is the subject of a finding.
fn id(due: &DueRepair) -> Result<uuid::Uuid> {
    due.subject.parse().map_err(Error::internal)
}
