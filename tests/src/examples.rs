//! The resources in the examples of the API's description.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::{
    clients::s3::Bucket,
    config::{FromEnv, S3Config},
    exports,
    tenants::TENANT_SCHEMA_VERSION,
    types::{ExportId, ImpersonationId, OperationId, ReconciliationId, SuperAdminId, SuperAdminRole, TenantId, UserId},
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
    let usage = format!(
        "INSERT INTO usage_days (tenant_id, day, agents, contacts, messages_month, storage_bytes, measured_at)
         SELECT '{}', (now() AT TIME ZONE 'UTC')::date - n, 8, 8200 - 60 * n, NULL, 73400320, now()
         FROM generate_series(0, 29) AS n;
         UPDATE tenants SET max_contacts = 10000 WHERE id = '{0}'",
        TenantId::EXAMPLE
    );
    owner.batch_execute(&usage).await.unwrap();
    let clusters = "INSERT INTO clusters (store, name, max_tenants, open, is_placing)
         VALUES ('postgresql', 'main', 1250, true, true), ('mongodb', 'main', 1250, true, true)";
    owner.batch_execute(clusters).await.unwrap();
    let health = "INSERT INTO health_states VALUES ('system', 'up', now(), ARRAY['up'], now())";
    owner.batch_execute(health).await.unwrap();
    let receipt = format!(
        r#"INSERT INTO tenant_receipts (tenant_id, operation_id, content, purged_at)
           VALUES ('{}', '{}', '{{"slug": "kopi-kenangan", "stores": [], "search": {{"found": 0}}}}', now())"#,
        TenantId::EXAMPLE,
        OperationId::EXAMPLE
    );
    owner.batch_execute(&receipt).await.unwrap();
    insert_export(&owner).await;
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

/// The figures of the export.
pub fn export_summary() -> Value {
    json!({
        "schema_version": TENANT_SCHEMA_VERSION, "rows": 34, "documents": 0, "objects": 0, "object_bytes": 0, "files": 1, "bytes": 412,
        "postgresql_at": "2026-01-15T09:30:00.000000Z", "mongodb_at": "2026-01-15T09:30:00.000000Z",
    })
}

/// An export that is complete, with its manifest in the bucket.
async fn insert_export(owner: &tokio_postgres::Client) {
    let operation = uuid::Uuid::now_v7();
    let (tenant, export) = (TenantId::EXAMPLE.parse().unwrap(), ExportId::EXAMPLE.parse().unwrap());
    let prefix = exports::prefix(tenant, export);
    let file = json!({ "key": format!("{prefix}postgresql/2/users.copy.gz"), "bytes": 412, "sha256": "0".repeat(64), "lines": 2 });
    let none = json!({ "lines": 0, "bytes": 0, "checksum": "0000000000000000", "files": [] });
    let mut users = json!({ "name": "users", "columns": ["id", "email"], "lines": 2, "bytes": 512,
                            "checksum": "0123456789abcdef" });
    users["files"] = json!([file]);
    let mut objects = none;
    objects["listed_at"] = "2026-01-15T09:30:00Z".into();
    objects["prefix"] = tenant.object_prefix().into();
    objects["object_bytes"] = 0.into();
    let manifest = json!({
        "format": exports::FORMAT, "export_id": export, "operation_id": operation, "written_at": "2026-01-15T09:30:00Z",
        "tenant": { "id": tenant, "slug": "kopi-kenangan", "name": "Kopi Kenangan", "country": "ID",
                    "limits": { "max_agents": null, "max_contacts": null, "max_messages_month": null },
                    "on_limit": "notify" },
        "postgresql": { "snapshot_at": "2026-01-15T09:30:00Z", "snapshot": "1:1:", "schema_version": TENANT_SCHEMA_VERSION,
                        "tables": [users] },
        "mongodb": { "cluster_time": { "seconds": 1_768_469_400, "increment": 1 }, "collections": [] },
        "objects": objects,
    });
    let content = manifest.to_string().into_bytes();
    let sha256 = format!("{:x}", Sha256::digest(&content));
    let key = format!("{prefix}manifest/2/manifest.json");
    let bucket = Bucket::connect(&S3Config::from_env().unwrap()).unwrap();
    let put = bucket.client().await.put_object().bucket(&bucket.name).key(&key).body(content.into());
    put.send().await.unwrap();
    let sql = "WITH operation AS (
                   INSERT INTO operations (id, tenant_id, database_name, kind, status, requested_by, created_at, updated_at,
                                           finished_at, next_attempt_at)
                   SELECT $1, id, database_name, 'export', 'succeeded', 'x', now() - interval '1 h', now(), now(), NULL
                   FROM tenants WHERE id = $2 RETURNING id, tenant_id
               )
               INSERT INTO exports (id, tenant_id, operation_id, requested_by, reason, created_at, finished_at, expires_at,
                                    manifest_key, manifest_sha256, summary)
               SELECT $3, tenant_id, id, 'x', 'The customer has asked for a copy', now(), now(), now() + interval '30 days',
                      $4, $5, $6
               FROM operation";
    owner.execute(sql, &[&operation, &tenant.0, &export.0, &key, &sha256, &export_summary()]).await.unwrap();
}
