//! The check after each cell. It knows no step: everything about a tenant, in every store, must be as after an undisturbed run with the
//! same end.

use std::fmt::Write as _;

use futures::TryStreamExt;
use shared::{exports, types::TenantId};

use crate::stage::ProvisioningStage;

/// Everything about a tenant, one fact in each line, without ids, times and the number of attempts.
pub(super) async fn describe(stage: &ProvisioningStage, tenant: TenantId) -> String {
    /// `$1` is the tenant. A line for each row.
    const QUERIES: [&str; 9] = [
        "SELECT format('tenant: %s, schema %s, on %s and %s, revision %s, limits %s %s %s, %s pending user(s)',
                       status, schema_version, postgres_cluster, mongo_cluster, revision,
                       max_agents, max_contacts, max_messages_month,
                       (SELECT count(*) FROM pending_admins WHERE tenant_id = t.id))
         FROM tenants t WHERE id = $1",
        // An operation that is rolled back may fail in any of its steps.
        "SELECT format('operation: %s %s, %s, reason %s, steps %s', kind, status,
                       CASE WHEN finished_at IS NULL THEN 'open'
                            WHEN lease_expires_at IS NULL AND next_attempt_at IS NULL THEN 'ended' ELSE 'ended with a lease' END,
                       CASE WHEN reason IS NULL THEN 'none' ELSE 'given' END,
                       ARRAY(SELECT name || ' ' || s.status FROM operation_steps s
                             WHERE operation_id = o.id
                                 AND (o.status <> 'failed' OR s.status IN ('running', 'undoing', 'succeeded'))
                             ORDER BY position))
         FROM operations o WHERE tenant_id = $1 ORDER BY id",
        "SELECT format('databases: %s, %s, described %s, connections %s, rights %s', d.state,
                       CASE WHEN t.database_name = d.name THEN 'current' ELSE 'former' END,
                       shobj_description(p.oid, 'pg_database') = format('Tenant %s, created by operation %s', t.id, d.operation_id),
                       p.datallowconn, p.datacl)
         FROM tenant_databases d JOIN tenants t ON t.id = d.tenant_id LEFT JOIN pg_database p ON p.datname = d.name
         WHERE t.id = $1 ORDER BY d.created_at",
        "SELECT format('event: %s', payload ->> 'type') FROM outbox WHERE destination = 'event' AND key = $1::text ORDER BY id",
        "SELECT format('audit: %s %s, %s time(s)', action, outcome, count(*))
         FROM audit WHERE tenant_id = $1 GROUP BY action, outcome ORDER BY action, outcome",
        // The bytes of a database differ from run to run.
        "SELECT format('receipt: %s',
                       (SELECT string_agg(format('%s %s', s ->> 'store', (s -> 'existed') - 'bytes'), ', ')
                        FROM jsonb_array_elements(content -> 'stores') AS s))
         FROM tenant_receipts WHERE tenant_id = $1",
        "SELECT format('export: %s, %s files with %s rows, %s documents and %s objects', finished_at IS NOT NULL,
                       summary ->> 'files', summary ->> 'rows', summary ->> 'documents', summary ->> 'objects')
         FROM exports WHERE tenant_id = $1 ORDER BY id",
        "SELECT format('usage: %s row(s)', count(*)) FROM tenant_usage WHERE tenant_id = $1",
        "SELECT format('session: %s', query) FROM pg_stat_activity a JOIN tenant_databases d ON d.tenant_id = $1
         WHERE starts_with(a.application_name, format('landlord %s ', d.name)) AND a.state <> 'idle'",
    ];
    let platform = stage.owner.get().await.unwrap();
    let mut text = String::new();
    for sql in QUERIES {
        for row in platform.query(&sql.replace("$1", &format!("'{tenant}'")), &[]).await.unwrap() {
            writeln!(text, "{}", row.get::<_, String>(0)).unwrap();
        }
    }
    let files = stage.s3.list_object_versions().bucket(&stage.bucket).prefix(exports::prefix_of_tenant(tenant));
    let files = files.send().await.unwrap();
    writeln!(text, "files of exports: {}", files.versions().len() + files.delete_markers().len()).unwrap();
    let names = "SELECT name FROM tenant_databases WHERE tenant_id = $1 ORDER BY created_at";
    let names = platform.query(names, &[&tenant.0]).await.unwrap();
    // What follows needs a connection of the same pool.
    drop(platform);
    for row in names {
        describe_databases(stage, tenant, row.get(0), &mut text).await;
    }
    text
}

async fn describe_databases(stage: &ProvisioningStage, tenant: TenantId, database: &str, text: &mut String) {
    let found = stage.found(tenant, database).await;
    writeln!(text, "exists: {found:?}").unwrap();
    let (users, roles) = stage.services_login(database).await;
    writeln!(text, "login of services: {users} user(s) with {roles} role(s)").unwrap();
    if found.postgres {
        let inside = stage.inside(database).await;
        let users = "SELECT format('user: %s %s %s %s %s', email, role, status, password_hash, must_change_password) FROM users";
        let tables = "SELECT format('tables: %s', string_agg(tablename, ' ' ORDER BY tablename))
                      FROM pg_tables WHERE schemaname = 'public'";
        for sql in [users, tables] {
            for row in inside.query(sql, &[]).await.unwrap() {
                writeln!(text, "{}", row.get::<_, String>(0)).unwrap();
            }
        }
    }
    if found.mongo {
        let database = stage.mongo.database(database);
        let mut collections: Vec<_> = database.list_collections().await.unwrap().try_collect().await.unwrap();
        collections.sort_by(|one, other| one.name.cmp(&other.name));
        for collection in collections {
            let rows = database.collection::<mongodb::bson::Document>(&collection.name);
            let mut indexes = rows.list_index_names().await.unwrap();
            indexes.sort();
            writeln!(text, "collection: {} {indexes:?}", collection.name).unwrap();
        }
    }
}
