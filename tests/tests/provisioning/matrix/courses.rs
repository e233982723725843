//! The kinds of operation, and a fixture for each. A kind without one does not compile; [`super::points`] requires every step of a
//! kind to be seen.

use mongodb::bson::{Document, doc};
use shared::{
    operations::{OperationKind, OperationStatus, StepName},
    provisioning::Moment,
    tenants::TenantStatus,
};
use tests::Api;
use tokio::sync::{Mutex, OnceCell};

use crate::{
    reconciling::Reconciling,
    restoring::{Exported, Pair},
    saboteur::{Sabotage, Saboteur},
    stage::{ProvisioningStage, Requested},
};

/// What an operation of a kind does when nothing disturbs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Course {
    /// The index of the kind.
    kind: usize,
    /// Whether a permanent error begins a rollback. Otherwise the operation succeeds.
    pub(super) is_rolled_back: bool,
}

impl Course {
    pub(super) fn all() -> Vec<Self> {
        let courses = |(kind, of): (usize, &OperationKind)| {
            // An operation that is tried without limit is never rolled back.
            let can_roll_back = of.budget().is_some();
            let courses = [false, true].into_iter().filter(move |rolled_back| can_roll_back || !rolled_back);
            courses.map(move |is_rolled_back| Self { kind, is_rolled_back })
        };
        OperationKind::ALL.iter().enumerate().flat_map(courses).collect()
    }

    pub(super) fn kind(self) -> OperationKind {
        OperationKind::ALL[self.kind]
    }

    /// The status with which the operation ends.
    pub(super) fn end(self) -> OperationStatus {
        if self.is_rolled_back { OperationStatus::Failed } else { OperationStatus::Succeeded }
    }

    /// The same kind, rolled back or not.
    pub(super) fn with(self, is_rolled_back: bool) -> Self {
        Self { is_rolled_back, ..self }
    }

    pub(super) fn name(self) -> String {
        format!("{}{}", self.kind().as_str(), if self.is_rolled_back { ", rolled back" } else { "" })
    }
}

/// Operations of every kind that are due.
pub(super) struct Fixtures {
    pub(super) stage: ProvisioningStage,
    reconciling: Reconciling,
    cleanups: Mutex<Vec<Requested>>,
    /// Serves requests as long as the matrix runs.
    server: Api,
    /// What all restores restore.
    exported: OnceCell<Exported>,
}

impl Fixtures {
    pub(super) async fn new() -> Self {
        let stage = ProvisioningStage::new().await;
        let server = Api::of(&stage.world).await;
        let reconciling = Reconciling::of(stage.clone()).await;
        Self { reconciling, cleanups: Mutex::default(), server, exported: OnceCell::new(), stage }
    }

    /// With a token of its own, because the whole matrix takes longer than a token is valid.
    fn api(&self) -> Api {
        Api::at(self.server.base.clone())
    }

    async fn exported(&self) -> &Exported {
        self.exported.get_or_init(|| Exported::new(&self.stage, 3)).await
    }

    /// A new operation of a kind, on a tenant of its own.
    pub(super) async fn request(&self, kind: OperationKind) -> Requested {
        match kind {
            OperationKind::Provision => self.stage.request().await,
            OperationKind::Retry => self.stage.request_retry(self.failed().await.tenant).await,
            OperationKind::Cleanup => self.cleanup().await,
            OperationKind::Suspend => {
                let tenant = self.stage.active().await.tenant;
                self.stage.request_status(tenant, TenantStatus::Suspended).await
            }
            OperationKind::Purge => {
                let tenant = self.stage.active().await.tenant;
                self.reconciling.put(format!("{}media/1", tenant.object_prefix())).await;
                self.stage.request_deletion(tenant, 0).await
            }
            OperationKind::Export => {
                let tenant = self.stage.active().await.tenant;
                self.reconciling.put(format!("{}media/1", tenant.object_prefix())).await;
                let contacts = self.stage.mongo.database(&self.stage.database(tenant).await);
                let contacts = contacts.collection::<Document>("scratch");
                contacts.insert_many((0..3).map(|n| doc! { "_id": n })).await.unwrap();
                self.stage.request_export(tenant).await
            }
            OperationKind::Restore => self.exported().await.request(&self.api()).await,
            OperationKind::Promote => Pair::new(&self.stage, &self.api(), 3).await.request(&self.api()).await,
            OperationKind::Resume => {
                let tenant = self.stage.active().await.tenant;
                let suspended = self.stage.request_status(tenant, TenantStatus::Suspended).await;
                assert_eq!(self.stage.finish(suspended).await, OperationStatus::Succeeded);
                self.stage.request_status(tenant, TenantStatus::Active).await
            }
        }
    }

    /// A tenant that failed after it was placed.
    async fn failed(&self) -> Requested {
        let requested = self.stage.request().await;
        let saboteur = Saboteur::new([(Moment::Recorded(StepName::Placement), Sabotage::Permanent)]);
        let ended = self.stage.finish_with(&self.stage.watched(saboteur), requested).await;
        assert_eq!(ended, OperationStatus::Failed);
        requested
    }

    /// A cleanup of databases that appeared after the rollback of their creation. A reconciliation requests several at once.
    async fn cleanup(&self) -> Requested {
        const AT_ONCE: usize = 12;
        let mut cleanups = self.cleanups.lock().await;
        if cleanups.is_empty() {
            for _ in 0..AT_ONCE {
                let failed = self.failed().await;
                let database = self.stage.database(failed.tenant).await;
                self.reconciling.sql(&format!("CREATE DATABASE {database} OWNER landlord_provisioner")).await;
                self.reconciling.create_mongo(&database).await;
                let marker = format!("{}.landlord/{}", failed.tenant.object_prefix(), failed.operation);
                self.reconciling.put(marker).await;
                cleanups.push(failed);
            }
            self.reconciling.run(false).await;
            for requested in cleanups.iter_mut() {
                requested.operation = self.stage.open_operation(requested.tenant).await;
            }
        }
        cleanups.pop().unwrap()
    }
}
