//! The schema of a new tenant while code is deployed whose template does not exist yet.

use shared::{
    operations::OperationStatus,
    provisioning::{OperationOutcome, Provisioner},
    tenants::TenantStatus,
};

use crate::stage::{ProvisioningStage, minute};

#[tokio::test(flavor = "multi_thread")]
async fn before_the_migration_a_tenant_gets_the_newest_schema_whose_template_exists() {
    const NEXT: i32 = 1_000_000;
    let stage = ProvisioningStage::new().await;
    let requested = stage.request().await;
    let worker = Provisioner { tenant_schema_version: NEXT, ..stage.worker() };
    let outcome = worker.run(requested.operation, minute()).await.unwrap();
    assert_eq!(outcome, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });
    let client = stage.api.get().await.unwrap();
    let tenant = shared::tenants::store::find(&client, requested.tenant).await.unwrap();
    assert_eq!(tenant.status, TenantStatus::Active);
    // The next run of `migrate-platform` finds the tenant by this version.
    assert!((1..NEXT).contains(&tenant.schema_version), "{}", tenant.schema_version);
}
