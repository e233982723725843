//! A measurement makes the directory equal to the users of a tenant, whatever happened to either.

use std::time::{Duration, Instant};

use serde_json::json;
use shared::{
    clients::postgres::connect_once,
    types::UserId,
    user_directory::{self, Difference, DirectoryEntry, Repair, store},
};
use tests::TestTenant;
use tokio::time::timeout;
use uuid::Uuid;

use crate::stage::DirectoryStage;

#[tokio::test]
async fn rows_that_were_damaged_deleted_or_added_are_repaired_by_a_measurement() {
    let stage = DirectoryStage::new().await;
    let (tenant, other) = (stage.tenant().await, stage.tenant().await);
    for name in ["ana", "budi", "citra", "dewi", "eko"] {
        stage.add(&tenant, &format!("{name}@kopi.example"), name).await;
    }
    stage.assert_equal(&tenant).await;
    for damage in [
        "UPDATE user_directory SET full_name = 'Somebody' WHERE email = 'ana@kopi.example'",
        "UPDATE user_directory SET email = 'wrong@kopi.example' WHERE email = 'budi@kopi.example'",
        "UPDATE user_directory SET role = 'admin', status = 'deactivated' WHERE email = 'citra@kopi.example'",
        "UPDATE user_directory SET revision = 1000, full_name = 'From the future' WHERE email = 'dewi@kopi.example'",
        "UPDATE user_directory SET revision = 0 WHERE email = 'eko@kopi.example'",
        "UPDATE user_directory SET created_at = '2020-01-01' WHERE email = 'eko@kopi.example'",
        "DELETE FROM user_directory WHERE email = 'ana@kopi.example'",
        "DELETE FROM user_directory WHERE email <> 'ana@kopi.example'",
        "INSERT INTO user_directory (tenant_id, user_id, email, full_name, role, status, revision, created_at, updated_at)
         SELECT id, gen_random_uuid(), 'ghost@kopi.example', 'Ghost', 'agent', 'active', 7, now(), now() FROM tenants",
        "DELETE FROM user_directory",
    ] {
        stage.sql(damage).await;
        stage.measure(tenant.id).await;
        stage.assert_equal(&tenant).await;
        stage.measure(other.id).await;
        stage.assert_equal(&other).await;
        assert_eq!(stage.emails("ghost@").await, [""; 0], "{damage}");
    }
    let found = stage.search(&[("search", "eko@kopi")]).await;
    assert!(found[0]["created_at"].as_str().unwrap() > "2026", "{found:?}");
}

#[tokio::test]
async fn changes_that_a_service_made_in_a_tenants_database_are_found_after_a_measurement() {
    let stage = DirectoryStage::new().await;
    let tenant = stage.tenant().await;
    let inside = tenant.inside(&stage.world).await;
    inside
        .batch_execute(&format!(
            "INSERT INTO roles (name, description) VALUES ('auditor', 'Only reads');
             INSERT INTO users (id, email, full_name, role) VALUES
                 (gen_random_uuid(), 'invited@kopi.example', 'Invited', 'agent'),
                 (gen_random_uuid(), 'auditor@kopi.example', 'Auditor', 'auditor'),
                 (gen_random_uuid(), 'long@kopi.example', repeat('Ω', 5000), 'agent');
             UPDATE users SET full_name = 'Sari W', revision = revision + 1 WHERE id = '{}'",
            tenant.admin
        ))
        .await
        .unwrap();
    assert_eq!(stage.emails("invited").await, [""; 0]);
    stage.measure(tenant.id).await;
    assert_eq!(stage.emails("invited@kopi").await, ["invited@kopi.example"]);
    assert_eq!(stage.search(&[("search", "sari@kopi")]).await[0]["user"]["full_name"], "Sari W");
    // No response can show a role that the API does not have, and an index limits the length of a name.
    assert_eq!(stage.emails("auditor@").await, [""; 0]);
    let long = stage.search(&[("search", "long@kopi")]).await;
    assert_eq!(long[0]["user"]["full_name"], "Ω".repeat(120));
    // Nor does it keep a change of this user from being settled.
    stage.change(&tenant, &long[0]["user"], &json!({ "role": "supervisor" })).await;
    let long = stage.search(&[("search", "long@kopi")]).await;
    assert_eq!(
        (&long[0]["user"]["role"], &long[0]["user"]["full_name"]),
        (&json!("supervisor"), &json!("Ω".repeat(120)))
    );
    let rows = async || -> Vec<String> {
        let rows = stage.owner.query("SELECT xmin::text FROM user_directory ORDER BY user_id", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    let before = rows().await;
    stage.measure(tenant.id).await;
    assert_eq!(rows().await, before, "a measurement that finds no difference writes nothing");
    inside.batch_execute("DELETE FROM users WHERE email = 'invited@kopi.example'").await.unwrap();
    stage.measure(tenant.id).await;
    assert_eq!(stage.emails("invited").await, [""; 0]);
}

async fn apply(stage: &DirectoryStage, tenant: &TestTenant, difference: &Difference) {
    let mut connection = stage.world.api_pool().get().await.unwrap();
    let transaction = connection.transaction().await.unwrap();
    assert!(store::lock_tenant(&transaction, tenant.id, &tenant.database).await.unwrap());
    store::apply(&transaction, tenant.id, difference).await.unwrap();
    transaction.commit().await.unwrap();
}

/// The directory's entries of a tenant.
async fn entries(stage: &DirectoryStage, tenant: &TestTenant) -> Vec<DirectoryEntry> {
    let connection = stage.world.api_pool().get().await.unwrap();
    store::list_after(&connection, tenant.id, UserId(Uuid::nil()), 100).await.unwrap()
}

#[tokio::test]
async fn a_repair_does_not_overwrite_a_change_that_arrives_while_it_runs() {
    let stage = DirectoryStage::new().await;
    let tenant = stage.tenant().await;
    let user = stage.add(&tenant, "ana@kopi.example", "Ana").await;
    let read = entries(&stage, &tenant).await;
    let [.., ana] = &read[..] else { panic!("{read:?}") };
    assert_eq!(ana.email, "ana@kopi.example");
    stage.change(&tenant, &user, &json!({ "full_name": "Ana Putri" })).await;
    let changed = entries(&stage, &tenant).await;
    let old = DirectoryEntry { full_name: "An older name".to_owned(), ..ana.clone() };
    for late in [
        Difference { outdated: vec![(ana.revision, old.clone())], ..Difference::default() },
        Difference { missing: vec![old.clone()], ..Difference::default() },
        Difference { surplus: vec![(ana.user_id, ana.revision)], ..Difference::default() },
    ] {
        apply(&stage, &tenant, &late).await;
        assert_eq!(entries(&stage, &tenant).await, changed, "{late:?}");
    }
    // The same differences, found after the change.
    let revision = ana.revision + 1;
    apply(&stage, &tenant, &Difference { outdated: vec![(revision, old.clone())], ..Difference::default() }).await;
    assert_eq!(entries(&stage, &tenant).await.last(), Some(&old));
    apply(&stage, &tenant, &Difference { surplus: vec![(old.user_id, old.revision)], ..Difference::default() }).await;
    assert_eq!(entries(&stage, &tenant).await.len(), 1);
    stage.measure(tenant.id).await;
    stage.assert_equal(&tenant).await;
}

#[tokio::test]
async fn a_repair_that_reads_a_database_which_is_not_the_tenants_any_more_writes_nothing() {
    let stage = DirectoryStage::new().await;
    let tenant = stage.tenant().await;
    stage.add(&tenant, "ana@kopi.example", "Ana").await;
    let users = connect_once(&stage.world.api(), Some(&tenant.database)).await.unwrap();
    // A promotion has swapped the databases since the repair connected.
    stage.world.leaves_contradictions("the tenant's database is not the one in its record");
    let swapped = "UPDATE tenants SET database_name = 'tenant_of_the_copy' WHERE id = $1";
    assert_eq!(stage.owner.execute(swapped, &[&tenant.id]).await.unwrap(), 1);
    stage.owner.execute("DELETE FROM user_directory WHERE tenant_id = $1", &[&tenant.id]).await.unwrap();
    let platform = stage.world.api_pool();
    user_directory::repair(&platform, (tenant.id, &tenant.database), &users, &mut Repair::default()).await.unwrap();
    assert_eq!(entries(&stage, &tenant).await, []);
}

#[tokio::test]
async fn a_tenant_with_100_000_users_is_repaired_in_parts_that_stay() {
    const USERS: usize = 100_000;
    let stage = DirectoryStage::new().await;
    let tenant = stage.tenant().await;
    let inside = tenant.inside(&stage.world).await;
    inside.batch_execute("SET statement_timeout = 0").await.unwrap();
    inside
        .batch_execute(&format!(
            "INSERT INTO users (id, email, full_name, role)
             SELECT gen_random_uuid(), 'user' || n || '@kopi.example', 'User ' || n, 'agent'
             FROM generate_series(2, {USERS}) AS n"
        ))
        .await
        .unwrap();
    let platform = stage.world.api_pool();
    // With the rights that measure-usage has.
    let users = connect_once(&stage.world.api(), Some(&tenant.database)).await.unwrap();
    let mut part = Repair::default();
    let limit = Duration::from_secs(5);
    let cut_off = timeout(limit, user_directory::repair(&platform, (tenant.id, &tenant.database), &users, &mut part))
        .await
        .is_err();
    assert!(cut_off && !part.is_finished && part.repaired > 0, "{part:?}");
    let rows = format!("SELECT FROM user_directory WHERE tenant_id = '{}'", tenant.id);
    assert!(stage.world.count(&rows).await >= i64::try_from(part.repaired).unwrap());
    let begun = Instant::now();
    let mut rest = Repair::default();
    user_directory::repair(&platform, (tenant.id, &tenant.database), &users, &mut rest).await.unwrap();
    println!("the first {} of {USERS} users in {limit:?}, the rest in {:?}", part.repaired, begun.elapsed());
    assert!(rest.is_finished && rest.compared == USERS && rest.repaired < USERS - part.repaired + 501, "{rest:?}");
    stage.assert_equal(&tenant).await;
    let begun = Instant::now();
    let mut equal = Repair::default();
    user_directory::repair(&platform, (tenant.id, &tenant.database), &users, &mut equal).await.unwrap();
    println!("comparing the fingerprints of {USERS} users: {:?}", begun.elapsed());
    assert_eq!(equal, Repair { compared: 0, repaired: 0, is_finished: true });
}

#[tokio::test]
async fn a_tenant_whose_repair_is_not_finished_is_measured_again_soon() {
    let stage = DirectoryStage::new().await;
    let tenant = stage.tenant().await;
    stage.sql("UPDATE tenant_usage SET due_at = now() + interval '1 day'").await;
    let soon = Duration::from_mins(5);
    shared::usage::store::hasten(&stage.world.api_pool().get().await.unwrap(), tenant.id, soon).await.unwrap();
    let due =
        "SELECT FROM tenant_usage WHERE due_at BETWEEN now() + interval '4 minutes' AND now() + interval '5 minutes'";
    assert_eq!(stage.world.count(due).await, 1);
    // It is never measured later than it would have been.
    shared::usage::store::hasten(&stage.world.api_pool().get().await.unwrap(), tenant.id, soon * 10).await.unwrap();
    assert_eq!(stage.world.count(due).await, 1);
}
