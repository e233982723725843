//! Planted differences in every store are found, a dry run changes nothing, and a repair repairs.

use std::time::Duration;

use mongodb::bson::doc;
use shared::{
    operations::OperationStatus,
    reconciliation::{FindingKind, FindingStore, Repair},
    tenants::{TENANT_SCHEMA_VERSION, TenantStatus},
};
use tests::{optional_variable, processes::memory};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Reconciling, kinds};
use crate::stage::{Found, Requested};

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_in_each_store_is_found_and_removed_and_what_the_ledger_does_not_know_stays() {
    let all = Reconciling::new().await;
    let stage = &all.stage;
    stage.world.leaves_contradictions("an object that the ledger does not know stays");
    let (failed, orphan) = all.failed().await;
    let everything = Found { postgres: true, mongo: true, objects: 1 };
    all.sql(&format!("CREATE DATABASE {orphan} OWNER landlord_provisioner")).await;
    all.create_mongo(&orphan).await;
    let prefix = failed.tenant.object_prefix();
    all.put(format!("{prefix}.landlord/{}", failed.operation)).await;
    let stranger = format!("tenant_{}", Uuid::now_v7().simple());
    all.sql(&format!("CREATE DATABASE {stranger} OWNER landlord_provisioner")).await;
    all.sql(&format!("COMMENT ON DATABASE {stranger} IS 'Tenant x, created by operation y'")).await;
    all.create_mongo(&stranger).await;
    assert_eq!(stage.found(failed.tenant, &orphan).await, everything);

    let dry = all.run(true).await;

    assert_eq!(
        kinds(&all.about(&dry, &orphan).await),
        [
            (FindingKind::Orphan, FindingStore::Mongodb, Some(Repair::Remove)),
            (FindingKind::Orphan, FindingStore::Postgresql, Some(Repair::Remove)),
        ]
    );
    assert_eq!(
        kinds(&all.about(&dry, &prefix).await),
        [(FindingKind::Orphan, FindingStore::ObjectStorage, Some(Repair::Remove))]
    );
    let unknown = all.about(&dry, &stranger).await;
    assert_eq!(
        kinds(&unknown),
        [(FindingKind::Unknown, FindingStore::Mongodb, None), (FindingKind::Unknown, FindingStore::Postgresql, None)]
    );
    assert!(unknown.iter().any(|one| one.detail.as_deref() == Some("Tenant x, created by operation y")), "{unknown:?}");
    assert!(dry.findings.iter().all(|finding| finding.repaired_at.is_none() && finding.operation_id.is_none()));
    assert_eq!(stage.found(failed.tenant, &orphan).await, everything, "a dry run changes nothing");
    assert_eq!(stage.count("SELECT FROM operations WHERE kind = 'cleanup'").await, 0);

    let repaired = all.run(false).await;

    let operations: Vec<_> = [all.about(&repaired, &orphan).await, all.about(&repaired, &prefix).await].concat();
    let [cleanup, ..] = &operations[..] else { panic!("{operations:?}") };
    let cleanup = cleanup.operation_id.unwrap();
    assert!(
        operations.iter().all(|one| one.operation_id == Some(cleanup) && one.repaired_at.is_some()),
        "{operations:?}"
    );
    // The tenant can be retried meanwhile: the cleanup works on databases that it does not use.
    let retried = stage.request_retry(failed.tenant).await;
    let cleanup = Requested { tenant: failed.tenant, operation: cleanup };
    assert_eq!(stage.finish(cleanup).await, OperationStatus::Succeeded);
    assert_eq!(stage.finish(retried).await, OperationStatus::Succeeded);
    stage.assert_active(failed.tenant).await;
    stage.assert_no_database(&orphan).await;
    assert_eq!(
        stage
            .count(&format!("SELECT FROM audit WHERE action = 'tenant.cleanup' AND tenant_id = '{}'", failed.tenant))
            .await,
        1
    );
    let after = all.run(false).await;
    assert!(all.about(&after, &orphan).await.is_empty() && all.about(&after, &prefix).await.is_empty());
    let unknown = all.about(&after, &stranger).await;
    assert_eq!(unknown.len(), 2, "what the ledger does not know is never dropped");
    let first = all.about(&dry, &stranger).await[0].since;
    assert!(unknown.iter().any(|one| one.since == first), "its age is known from the first time");
    // The same names come back, and an older cleanup has ended.
    all.sql(&format!("CREATE DATABASE {orphan} OWNER landlord_provisioner")).await;
    all.create_mongo(&orphan).await;
    let again = all.run(false).await;
    let second: Vec<_> = all.about(&again, &orphan).await.iter().map(|one| one.operation_id.unwrap()).collect();
    assert!(matches!(second[..], [one, other] if one == other && one != cleanup.operation), "{second:?}");
    let second = Requested { operation: second[0], ..cleanup };
    assert_eq!(stage.finish(second).await, OperationStatus::Succeeded);
    stage.assert_no_database(&orphan).await;
    all.sql(&format!("DROP DATABASE {stranger}")).await;
    stage.mongo.database(&stranger).drop().await.unwrap();
}

/// A worker that is killed after the removal of its tenant can leave either.
#[tokio::test(flavor = "multi_thread")]
async fn a_mongodb_user_or_role_of_databases_that_were_given_up_is_found_and_removed() {
    let all = Reconciling::new().await;
    let stage = &all.stage;
    let ((user, with_user), (role, with_role)) = (all.failed().await, all.failed().await);
    let create = doc! { "createUser": &with_user, "pwd": "secret", "roles": [] };
    stage.mongo.database("admin").run_command(create).await.unwrap();
    let create = doc! { "createRole": "service_1", "privileges": [], "roles": [] };
    stage.mongo.database(&with_role).run_command(create).await.unwrap();

    let report = all.run(false).await;

    for (failed, database) in [(user, &with_user), (role, &with_role)] {
        let found = all.about(&report, database).await;
        assert_eq!(kinds(&found), [(FindingKind::Orphan, FindingStore::Mongodb, Some(Repair::Remove))]);
        let detail = found[0].detail.as_deref();
        assert_eq!(detail, Some("a user or a role without a database; is `dropped` in the ledger"));
        let cleanup = Requested { operation: found[0].operation_id.unwrap(), ..failed };
        assert_eq!(stage.finish(cleanup).await, OperationStatus::Succeeded);
    }
    let users = doc! { "usersInfo": { "user": &with_user, "db": "admin" } };
    let users = stage.mongo.database("admin").run_command(users).await.unwrap();
    assert!(users.get_array("users").unwrap().is_empty(), "{users}");
    let roles = stage.mongo.database(&with_role).run_command(doc! { "rolesInfo": 1 }).await.unwrap();
    assert!(roles.get_array("roles").unwrap().is_empty(), "{roles}");
    let after = all.run(true).await;
    assert!(all.about(&after, &with_user).await.is_empty() && all.about(&after, &with_role).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_other_than_a_marker_are_never_removed() {
    let all = Reconciling::new().await;
    let (failed, _) = all.failed().await;
    let prefix = failed.tenant.object_prefix();
    all.put(format!("{prefix}.landlord/{}", failed.operation)).await;
    all.put(format!("{prefix}avatars/sari.png")).await;

    let report = all.run(false).await;

    assert_eq!(kinds(&all.about(&report, &prefix).await), [(FindingKind::Orphan, FindingStore::ObjectStorage, None)]);
    let left = all.stage.s3.list_objects_v2().bucket(&all.stage.bucket).prefix(&prefix).send().await.unwrap();
    assert_eq!(left.contents().len(), 2);
    for object in left.contents() {
        all.stage.s3.delete_object().bucket(&all.stage.bucket).key(object.key().unwrap()).send().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_databases_and_old_schemas_are_found() {
    let all = Reconciling::new().await;
    let stage = &all.stage;
    stage.world.leaves_contradictions("databases are missing");
    let (lost, database) = all.active().await;
    let (old, _) = all.active().await;
    all.sql(&format!("DROP DATABASE {database} WITH (FORCE)")).await;
    stage.mongo.database(&database).drop().await.unwrap();
    let prefix = lost.tenant.object_prefix();
    let marker = format!("{prefix}.landlord/{}", lost.operation);
    stage.s3.delete_object().bucket(&stage.bucket).key(marker).send().await.unwrap();
    all.sql(&format!("UPDATE tenants SET schema_version = 0 WHERE id = '{}'", old.tenant)).await;

    let report = all.run(false).await;

    let missing = FindingKind::Missing;
    assert_eq!(
        kinds(&all.about(&report, &database).await),
        [(missing, FindingStore::Mongodb, None), (missing, FindingStore::Postgresql, None)]
    );
    assert_eq!(kinds(&all.about(&report, &prefix).await), [(missing, FindingStore::ObjectStorage, None)]);
    let outdated = all.about(&report, &old.tenant.to_string()).await;
    assert_eq!(kinds(&outdated), [(FindingKind::OldSchema, FindingStore::Platform, None)]);
    assert_eq!(stage.status(lost.tenant).await, TenantStatus::Active, "people must decide");
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_that_an_operation_works_on_are_left_alone() {
    let all = Reconciling::new().await;
    all.stage.world.leaves_contradictions("an operation looks as if it were open");
    let (requested, database) = all.failed().await;
    all.sql(&format!("CREATE DATABASE {database} OWNER landlord_provisioner")).await;
    // As while a rollback is going on.
    all.sql(&format!(
        "UPDATE tenant_databases SET state = 'dropping' WHERE name = '{database}';
         UPDATE operations SET finished_at = NULL, status = 'undoing' WHERE id = '{}'",
        requested.operation
    ))
    .await;
    let report = all.run(false).await;
    assert_eq!(kinds(&all.about(&report, &database).await), []);
    // And as if it had changed after the observation.
    all.sql(&format!(
        "UPDATE operations SET finished_at = now(), status = 'failed' WHERE id = '{}';
         UPDATE tenant_databases SET updated_at = now() + interval '1 minute' WHERE name = '{database}'",
        requested.operation
    ))
    .await;
    let report = all.run(false).await;
    assert_eq!(kinds(&all.about(&report, &database).await), []);
    all.sql(&format!("DROP DATABASE {database}")).await;
    // A tenant that waits for its databases for long.
    let waiting = all.stage.request().await;
    let database = all.stage.database(waiting.tenant).await;
    all.sql(&format!("UPDATE tenant_databases SET updated_at = now() - interval '1 hour' WHERE name = '{database}'"))
        .await;
    let report = all.run(false).await;
    assert_eq!(kinds(&all.about(&report, &database).await), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_rows_of_the_ledger_are_compared_in_seconds() {
    // The most findings that one check records.
    const MAX_FINDINGS: i64 = 20_000;
    let tenants: i64 = optional_variable("LEDGER_ROWS").map_or(10_000, |rows| rows.parse().unwrap());
    let all = Reconciling::new().await;
    let owner = all.stage.world.patient_client().await;
    let insert = "INSERT INTO tenants (id, name, slug, status, database_name, country, postgres_cluster, mongo_cluster,
                                       schema_version, created_at, updated_at)
                  SELECT gen_random_uuid(), 'T', 't' || n, 'active', 'tenant_' || md5($2 || n), 'ID', 'main', 'main', $3, now(), now()
                  FROM generate_series(1, $1::bigint) AS n";
    let database = &all.stage.world.database;
    owner.execute(insert, &[&tenants, &database.as_str(), &TENANT_SCHEMA_VERSION]).await.unwrap();
    owner.batch_execute("ANALYZE").await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    let (before, _) = memory(std::process::id()).unwrap();
    let begun = Instant::now();

    let report = all.run(true).await;

    let (took, (_, most)) = (begun.elapsed(), memory(std::process::id()).unwrap());
    println!("{tenants} rows against PostgreSQL, MongoDB and objects: {took:?}, {} MiB more", (most - before) >> 20);
    let missing = report.reconciliation.counts.iter().find(|count| count.kind == FindingKind::Missing).unwrap();
    assert_eq!(missing.count, 3 * tenants.min(MAX_FINDINGS));
    assert!(report.reconciliation.compared >= 4 * tenants, "{report:?}");
    assert_eq!(report.findings.len(), 1000, "a report stays short");
}
