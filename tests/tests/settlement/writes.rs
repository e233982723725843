//! Every write to a tenant's database can be settled: it commits with a marker, or it records an end that the platform
//! database has decided.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::TestTenant;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::stage::{Stage, user_path};

/// What the service's role may write, apart from the markers themselves.
const PRIVILEGES: &str = "
    SELECT DISTINCT table_name::text, privilege_type::text FROM information_schema.column_privileges
    WHERE grantee = 'landlord_api' AND privilege_type IN ('INSERT', 'UPDATE') AND table_name <> 'changes'
    UNION
    SELECT table_name::text, privilege_type::text FROM information_schema.table_privileges
    WHERE grantee = 'landlord_api' AND privilege_type IN ('DELETE', 'TRUNCATE') AND table_name <> 'changes'";

/// Refuses the commit of a write whose transaction has no marker, and counts the others. The end of an impersonation needs no
/// marker: it is decided in the platform database, and recording it again has no effect.
const GUARD: &str = "
    CREATE TABLE guarded_writes (table_name text, privilege text);
    CREATE FUNCTION require_marker() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        IF NOT (TG_TABLE_NAME = 'impersonations' AND TG_OP = 'UPDATE'
                AND to_jsonb(OLD) - 'ended_at' = to_jsonb(NEW) - 'ended_at')
           AND NOT EXISTS (SELECT FROM public.changes WHERE xmin = pg_current_xact_id()::xid) THEN
            RAISE EXCEPTION '% of % without a marker', TG_OP, TG_TABLE_NAME;
        END IF;
        INSERT INTO public.guarded_writes VALUES (TG_TABLE_NAME, TG_OP);
        RETURN NULL;
    END $$;";

type Privileges = BTreeSet<(String, String)>;

async fn pairs(client: &Client, sql: &str) -> Privileges {
    client.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Guards every table of a tenant that the service's role may write. Returns these privileges.
async fn guard(inside: &Client) -> Privileges {
    inside.batch_execute(GUARD).await.unwrap();
    let privileges = pairs(inside, PRIVILEGES).await;
    let tables: BTreeSet<_> = privileges.iter().map(|(table, _)| table).collect();
    for table in tables {
        let sql = format!(
            "CREATE CONSTRAINT TRIGGER require_marker AFTER INSERT OR UPDATE OR DELETE ON {table}
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_marker()"
        );
        inside.batch_execute(&sql).await.unwrap();
    }
    privileges
}

async fn change(stage: &Stage, tenant: &TestTenant, user: Uuid, body: Value) {
    let changed = stage.api.patch(&user_path(tenant, user), &body).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_writes_to_a_tenants_database_without_a_marker() {
    let stage = Stage::new().await;
    let (tenant, user) = stage.tenant().await;
    let inside = stage.inside(&tenant).await;
    let privileges = guard(&inside).await;
    let unmarked = "UPDATE users SET full_name = 'Budi Santoso'";
    let refused = inside.batch_execute(unmarked).await.unwrap_err();
    assert!(refused.as_db_error().unwrap().message().contains("UPDATE of users without a marker"), "{refused}");

    let new = json!({
        "tenant_id": tenant.id, "email": "siti@kopi.example", "full_name": "Siti", "role": "agent", "password": "tidal-mango-orbit-42",
    });
    let created = stage.api.post("/users", &new).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    change(&stage, &tenant, user, json!({ "role": "admin", "reason": "Asked for by the tenant's admin" })).await;
    let id = stage.impersonation(&tenant, user).await;
    change(&stage, &tenant, user, json!({ "status": "deactivated" })).await;
    stage.impersonation(&tenant, tenant.admin).await;
    let path = format!("/tenants/{}", tenant.id);
    let suspended = stage.api.patch(&path, &json!({ "status": "suspended" })).await;
    assert_eq!(suspended.status, StatusCode::OK, "{}", suspended.text);
    stage.settle().await;

    assert_eq!(stage.open_changes().await, 0);
    assert!(!stage.is_live(&id).await);
    let exercised = pairs(&inside, "SELECT DISTINCT table_name, privilege FROM guarded_writes").await;
    assert_eq!(exercised, privileges, "the requests of this test use every privilege of the service");
}
