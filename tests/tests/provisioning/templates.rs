//! The templates that exist: for new tenants while code is deployed whose template does not exist yet, and for copies of exports.

use migrate_platform::TenantSchema;
use refinery::Migration;
use shared::{
    operations::OperationStatus,
    provisioning::{OperationOutcome, Provisioner},
    tenants::TenantStatus,
};
use tests::second_server::SecondServer;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_gets_the_templates_of_the_exports_that_can_be_restored() {
    let server = SecondServer::start().await;
    server.prepare().await;
    let export = |version: i32, kept: &str| {
        let row = format!(
            "SET session_replication_role = replica;
             INSERT INTO exports
             VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'ada@landlord.example', 'A copy', now(), now(),
                     now() + interval '{kept}', 'key', 'sha256', jsonb_build_object('schema_version', {version}))"
        );
        server.sql_in("landlord", &row);
    };
    let mut schema = TenantSchema::current();
    for version in 2..=4 {
        let sql = format!("CREATE TABLE notes_{version} (id uuid PRIMARY KEY)");
        schema = schema.followed_by(Migration::unapplied(&format!("V{version}__notes"), &sql).unwrap());
    }
    let templates = || {
        server.sql(
            "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database
             WHERE datistemplate AND datname LIKE 'landlord%'",
        )
    };
    export(2, "1 day");
    export(3, "-1 day");
    export(5, "1 day");
    assert_eq!(server.migrate(&schema).await.templates_created, ["main"]);
    assert_eq!(templates(), "landlord_template_v1 landlord_template_v2 landlord_template_v4");
    assert!(server.migrate(&schema).await.templates_created.is_empty());
}
