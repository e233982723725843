//! The directory follows each change of a user, and each tenant that gets its first user or has no databases any more.

use std::time::Duration;

use serde_json::json;
use shared::{
    operations::OperationStatus,
    provisioning::OperationOutcome,
    types::{OperationId, TenantId},
    user_directory,
};
use tests::worker::{WorkerProxies, worker};
use tokio::time::Instant;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::stage::DirectoryStage;

#[tokio::test]
async fn a_person_is_found_in_every_tenant_that_they_belong_to() {
    let stage = DirectoryStage::new().await;
    let (first, second) = (stage.tenant().await, stage.tenant().await);
    stage.tenant().await;
    let in_first = stage.add(&first, "Ana.Putri@Kopi.example", "Ana Putri").await;
    let in_second = stage.add(&second, "ana.putri@kopi.example", "Putri, Ana").await;
    stage.add(&second, "joko@kopi.example", "Joko").await;
    for text in ["ana.putri@kopi.example", "ANA.PUTRI", "na.pu"] {
        let found = stage.search(&[("search", text)]).await;
        let wanted = json!([
            {
                "tenant": {
                    "id": second.id, "name": "Kopi", "slug": format!("t{}", second.id.0.simple()), "status": "active",
                },
                "user": {
                    "id": in_second["id"], "email": "ana.putri@kopi.example", "full_name": "Putri, Ana",
                    "role": "agent", "status": "active",
                },
                "created_at": in_second["created_at"], "updated_at": in_second["updated_at"],
            },
            {
                "tenant": {
                    "id": first.id, "name": "Kopi", "slug": format!("t{}", first.id.0.simple()), "status": "active",
                },
                "user": {
                    "id": in_first["id"], "email": "ana.putri@kopi.example", "full_name": "Ana Putri",
                    "role": "agent", "status": "active",
                },
                "created_at": in_first["created_at"], "updated_at": in_first["updated_at"],
            },
        ]);
        assert_eq!(json!(found), wanted, "{text}");
    }
    assert_eq!(stage.emails("sari wulandari").await.len(), 3, "the first users of all tenants");
    stage.change(&first, &in_first, &json!({ "status": "deactivated", "role": "supervisor" })).await;
    let found = stage.search(&[("search", "ana.putri"), ("status", "deactivated")]).await;
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["tenant"]["id"], &found[0]["user"]["role"]), (&json!(first.id), &json!("supervisor")));
    stage.change(&first, &in_first, &json!({ "status": "active" })).await;
    assert_eq!(stage.search(&[("search", "ana.putri"), ("status", "active")]).await.len(), 2);
    for tenant in [&first, &second] {
        stage.assert_equal(tenant).await;
    }
}

#[tokio::test]
async fn a_renamed_user_is_found_under_the_new_name_only() {
    let stage = DirectoryStage::new().await;
    let tenant = stage.tenant().await;
    let user = stage.add(&tenant, "budi@kopi.example", "Budi Santoso").await;
    assert_eq!(stage.emails("budi santoso").await, ["budi@kopi.example"]);
    stage.change(&tenant, &user, &json!({ "full_name": "Budiman Hartono" })).await;
    assert_eq!(stage.emails("budi santoso").await, [""; 0]);
    assert_eq!(stage.emails("BUDIMAN har").await, ["budi@kopi.example"]);
    stage.assert_equal(&tenant).await;
}

/// Creates and provisions a tenant. Returns its id and the name of its databases.
async fn provision(stage: &DirectoryStage, slug: &str) -> (TenantId, String) {
    let created = stage.api.create_tenant(slug).await;
    let id: TenantId = created["id"].as_str().unwrap().parse().unwrap();
    let operation = stage.owner.query_one("SELECT id FROM operations WHERE tenant_id = $1", &[&id.0]).await;
    let proxies = WorkerProxies::new(&stage.world).await;
    let provisioner = worker(&stage.world, &proxies.ports(), None);
    let until = Instant::now() + Duration::from_mins(1);
    let outcome = provisioner.run(OperationId(operation.unwrap().get(0)), until).await.unwrap();
    assert_eq!(outcome, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });
    (id, created["mongo_database"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_first_user_of_a_tenant_is_found_as_soon_as_the_tenant_is_active() {
    let stage = DirectoryStage::new().await;
    assert_eq!(stage.emails("sari@kopikenangan").await, [""; 0]);
    let (id, database) = provision(&stage, "kopi-kenangan").await;
    let found = stage.search(&[("search", "sari@kopikenangan"), ("role", "admin")]).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["tenant"]["id"], json!(id));
    assert_eq!(found[0]["user"]["full_name"], "Administrator");
    // The first measurement copies the times of the tenant's database.
    stage.measure(id).await;
    let inside = tests::platform::connect_as_owner(&database).await;
    let times =
        "SELECT id::text, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM users";
    let row = inside.query_one(times, &[]).await.unwrap();
    let measured = stage.search(&[("search", "sari@kopikenangan")]).await;
    assert_eq!(measured.len(), 1);
    assert_eq!(
        (&measured[0]["user"]["id"], &measured[0]["created_at"]),
        (&json!(row.get::<_, String>(0)), &json!(row.get::<_, String>(1)))
    );
    assert_eq!(measured[0]["user"], found[0]["user"]);
}

/// Writes what an event about a user shows, as the settlement of a change does.
async fn follow(stage: &DirectoryStage, tenant: TenantId, id: Uuid, (name, revision): (&str, i64)) {
    let data = json!({
        "tenant_id": tenant, "revision": revision,
        "user": {
            "id": id, "email": "ana@kopi.example", "full_name": name, "role": "agent", "status": "active",
            "created_at": "2026-01-01T00:00:00.000001Z", "updated_at": "2026-01-01T00:00:00.000000Z",
        },
    });
    let mut connection = stage.world.api_pool().get().await.unwrap();
    let transaction = connection.transaction().await.unwrap();
    user_directory::store::follow(&transaction, tenant, &data).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn name_of(owner: &Client, id: Uuid) -> Option<String> {
    let name = "SELECT full_name FROM user_directory WHERE user_id = $1";
    owner.query_opt(name, &[&id]).await.unwrap().map(|row| row.get(0))
}

#[tokio::test]
async fn an_earlier_change_that_arrives_later_does_not_replace_a_later_one() {
    let stage = DirectoryStage::new().await;
    let tenant = stage.tenant().await;
    stage.world.leaves_contradictions("a test writes a user who does not exist");
    let id = Uuid::now_v7();
    for (name, revision, wanted) in [
        ("Ana 2", 2, "Ana 2"),
        ("Ana 5", 5, "Ana 5"),
        ("Ana 4", 4, "Ana 5"),
        ("Ana 5b", 5, "Ana 5"),
        ("Ana 6", 6, "Ana 6"),
    ] {
        follow(&stage, tenant.id, id, (name, revision)).await;
        assert_eq!(name_of(&stage.owner, id).await.as_deref(), Some(wanted), "{name}");
    }
    // Data without a field are left to the next repair.
    let mut connection = stage.world.api_pool().get().await.unwrap();
    let transaction = connection.transaction().await.unwrap();
    for data in [json!({}), json!({ "user": null }), json!({ "revision": 9, "user": { "id": id } })] {
        user_directory::store::follow(&transaction, tenant.id, &data).await.unwrap();
    }
    transaction.commit().await.unwrap();
    assert_eq!(name_of(&stage.owner, id).await.as_deref(), Some("Ana 6"));
}

#[tokio::test]
async fn the_directory_keeps_nobody_of_a_tenant_that_has_no_databases_any_more() {
    let stage = DirectoryStage::new().await;
    let (tenant, other) = (stage.tenant().await, stage.tenant().await);
    stage.add(&tenant, "ana@kopi.example", "Ana").await;
    let set = async |status: &str| {
        stage.sql(&format!("UPDATE tenants SET status = '{status}' WHERE id = '{}'", tenant.id)).await;
    };
    for status in ["suspended", "deleting", "active"] {
        set(status).await;
        let found = stage.search(&[("search", "ana@kopi")]).await;
        assert_eq!(found.len(), 1, "{status}");
        assert_eq!(found[0]["tenant"]["status"], status);
    }
    for status in ["failed", "deleted"] {
        set("active").await;
        stage.measure(tenant.id).await;
        assert_eq!(stage.emails("ana@kopi").await.len(), 1);
        set(status).await;
        assert_eq!(stage.emails("@kopi.example").await, ["sari@kopi.example"], "{status}");
        let rows = format!("SELECT FROM user_directory WHERE tenant_id = '{}'", tenant.id);
        assert_eq!(stage.world.count(&rows).await, 0, "{status}");
        // A change that is settled later, and a measurement that began earlier, write nothing.
        follow(&stage, tenant.id, Uuid::now_v7(), ("Ana", 9)).await;
        stage.measure(tenant.id).await;
        assert_eq!(stage.world.count(&rows).await, 0, "{status}");
    }
    stage.assert_equal(&other).await;
}
