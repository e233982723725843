//! The resources in the examples of the API's description.

use shared::{
    tenants::TENANT_SCHEMA_VERSION,
    types::{ImpersonationId, OperationId, ReconciliationId, SuperAdminId, SuperAdminRole, TenantId, UserId},
};

use crate::{TestTenant, World};

/// Inserts them into a world: an active tenant with two users and an operation, a reconciliation, a super-admin who impersonates one of them, and a super-admin
/// who can sign in.
pub async fn furnish(world: &World) {
    world.leaves_contradictions("the resources of the examples were never created");
    let owner = world.client().await;
    let tenant = TestTenant::of(TenantId::EXAMPLE.parse().unwrap());
    tenant.clone_database(&owner).await;
    tenant.register(&owner, TENANT_SCHEMA_VERSION, None).await;
    let users = format!(
        "INSERT INTO users (id, email, full_name, role, created_at, updated_at)
         VALUES ('{}', 'sari@example.com', 'Sari', 'agent', now(), now()),
                (gen_random_uuid(), 'ada@example.com', 'Ada', 'admin', now(), now())",
        UserId::EXAMPLE
    );
    tenant.inside(world).await.batch_execute(&users).await.unwrap();
    let impersonation = format!(
        "INSERT INTO impersonations (id, admin_id, tenant_id, user_id, user_email, access, reason, started_at,
                                     expires_at, recorded_at)
         VALUES ('{}', '{}', '{}', '{}', 'sari@example.com', 'read', 'Looks into it', now(), now() + interval '1 h', now())",
        ImpersonationId::EXAMPLE,
        SuperAdminId::EXAMPLE,
        TenantId::EXAMPLE,
        UserId::EXAMPLE
    );
    owner.batch_execute(&impersonation).await.unwrap();
    let operation = format!(
        "INSERT INTO operations (id, tenant_id, database_name, kind, status, requested_by, created_at, updated_at,
                                 finished_at)
         SELECT '{}', id, database_name, 'provision', 'succeeded', 'x', now(), now(), now() FROM tenants WHERE id = '{}'",
        OperationId::EXAMPLE,
        TenantId::EXAMPLE
    );
    owner.batch_execute(&operation).await.unwrap();
    let receipt = format!(
        r#"INSERT INTO tenant_receipts (tenant_id, operation_id, content, purged_at)
           VALUES ('{}', '{}', '{{"slug": "kopi-kenangan", "stores": [], "search": {{"found": 0}}}}', now())"#,
        TenantId::EXAMPLE,
        OperationId::EXAMPLE
    );
    owner.batch_execute(&receipt).await.unwrap();
    let reconciliation = format!(
        "INSERT INTO reconciliations (id, dry_run, requested_by, finished_at) VALUES ('{0}', true, 'system', now());
         INSERT INTO reconciliation_checks VALUES ('{0}', 'postgresql', 'main', 1, NULL);
         INSERT INTO reconciliation_findings (reconciliation_id, store, cluster, kind, subject, tenant_id, database_name,
                                              detail, since, repair)
         SELECT '{0}', 'postgresql', 'main', 'orphan', database_name, id, database_name, 'is `dropped` in the ledger', now(),
                'remove'
         FROM tenants WHERE id = '{1}'",
        ReconciliationId::EXAMPLE,
        TenantId::EXAMPLE
    );
    owner.batch_execute(&reconciliation).await.unwrap();
    let signs_in = world.operator(SuperAdminRole::Operator).await;
    let super_admins = format!(
        "UPDATE super_admins SET email = 'owner@landlord.example' WHERE id = '{signs_in}';
         INSERT INTO super_admins (id, email, subject, role)
         VALUES ('{}', 'example@landlord.example', 'idp|example', 'operator')",
        SuperAdminId::EXAMPLE
    );
    owner.batch_execute(&super_admins).await.unwrap();
}
