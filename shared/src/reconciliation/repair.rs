//! Repairs that are known to be safe. Each decides anew, in its own transaction, whether it still applies.

use time::OffsetDateTime;

use crate::{
    error::{Error, Result},
    events,
    operations::{self, OperationKind, store::NewOperation},
    reconciliation::{
        Reconciler, Repair,
        store::{
            RunLease,
            repair::{self, DueRepair},
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
                let begun = match due.repair {
                    Repair::Remove => self.remove(due, &requested_by).await?.map(Some),
                    Repair::Access => self.change_access(due, &requested_by).await?.map(Some),
                    Repair::Wake => self.wake(due).await?.map(Some),
                    Repair::Settle => {
                        is_for_relay = true;
                        repair::make_change_due(&self.platform.get().await?, id(due)?).await?;
                        Some(None)
                    }
                    Repair::Relist => {
                        is_for_relay = true;
                        Some(None)
                    }
                    Repair::Redrive => {
                        if !is_redriven {
                            self.dead_letters.redrive(&self.platform, actor, false).await?;
                            is_redriven = true;
                        }
                        Some(None)
                    }
                };
                let client = self.platform.get().await?;
                match begun {
                    Some(operation_id) => repair::record_begun(&client, lease, due, operation_id).await?,
                    None => repair::record_changed(&client, lease, due).await?,
                }
            }
        }
        if is_for_relay {
            self.dispatcher.poke_relay().await;
        }
        Ok(())
    }

    /// Begins an operation that removes what is left of databases that were given up. `None` if they were not.
    async fn remove(&self, due: &DueRepair, requested_by: &str) -> Result<Option<OperationId>> {
        let (Some(name), Some(tenant_id)) = (due.database_name.as_deref(), due.tenant_id) else { return Ok(None) };
        let mut connection = self.platform.get().await?;
        let transaction = connection.transaction().await?;
        tenants::store::find_for_update(&transaction, tenant_id).await?;
        if !repair::begin_removal(&transaction, name).await? {
            // The other stores of the same databases may have findings, too.
            return repair::find_cleanup(&transaction, name).await;
        }
        let new = NewOperation { tenant_id, database_name: name, kind: OperationKind::Cleanup, requested_by };
        let id = operations::store::insert(&transaction, new, OffsetDateTime::now_utc()).await?;
        events::store::enqueue_provision(&transaction, tenant_id, id).await?;
        transaction.commit().await?;
        self.dispatcher.send_provision(&connection, id).await;
        Ok(Some(id))
    }

    /// Begins an operation that makes the services' access what the tenant's status demands. `None` if the status demands neither.
    async fn change_access(&self, due: &DueRepair, requested_by: &str) -> Result<Option<OperationId>> {
        let Some(tenant_id) = due.tenant_id else { return Ok(None) };
        let mut connection = self.platform.get().await?;
        let transaction = connection.transaction().await?;
        let tenant = tenants::store::find_for_update(&transaction, tenant_id).await?;
        let kind = match tenant.status {
            TenantStatus::Active => OperationKind::Resume,
            TenantStatus::Suspended => OperationKind::Suspend,
            _ => return Ok(None),
        };
        let actor = Actor { id: requested_by, ..Actor::SYSTEM };
        let id = tenants::change_access(&transaction, &tenant, kind, actor).await?;
        transaction.commit().await?;
        self.dispatcher.send_provision(&connection, id).await;
        Ok(Some(id))
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

/// The id that is the subject of a finding.
fn id(due: &DueRepair) -> Result<uuid::Uuid> {
    due.subject.parse().map_err(Error::internal)
}
