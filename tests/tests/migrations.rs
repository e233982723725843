//! Migrations of the platform database while other sessions use it.

use std::time::{Duration, Instant};

use futures::future::join_all;
use migrate_platform::{Patience, PlatformSchema, Summary, TenantSchema};
use refinery::Migration;
use shared::{
    config::Clusters,
    error::{Error, Result},
};
use tests::{Api, World, until};
use tokio_postgres::Client;

/// The current schema and one more version.
fn next_schema(sql: &str) -> PlatformSchema {
    PlatformSchema::current().followed_by(Migration::unapplied("V2__next", sql).unwrap())
}

async fn migrate(world: &World, sql: &str, patience: Duration) -> Result<Summary> {
    let (owner, schema) = (world.owner(), TenantSchema::current());
    let clusters = Clusters::single(owner.url.clone());
    let patience = Patience { locks: patience, ..Patience::default() };
    migrate_platform::run_to(&owner, (next_schema(sql), patience), &clusters, &schema, None).await
}

/// A session that has read `tenants` in a transaction that it does not end.
async fn long_reader(world: &World) -> Client {
    let reader = world.client().await;
    reader.batch_execute("SET idle_in_transaction_session_timeout = 0; BEGIN; SELECT FROM tenants").await.unwrap();
    reader
}

const ADD_COLUMN: &str = "ALTER TABLE tenants ADD COLUMN note text";

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_behind_a_long_reader_gives_up_changes_nothing_and_says_what_blocked_it() {
    let world = World::new().await;
    let reader = long_reader(&world).await;
    let api = Api::of(&world).await;
    let watched = async {
        let mut slowest = Duration::ZERO;
        loop {
            let begun = Instant::now();
            let answer = api.get("/tenants").await;
            assert_eq!(answer.status, reqwest::StatusCode::OK, "{}", answer.text);
            slowest = slowest.max(begun.elapsed());
            println!("the slowest request: {slowest:?}");
            assert!(slowest < Duration::from_secs(4), "{slowest:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let error = tokio::select! {
        result = migrate(&world, ADD_COLUMN, Duration::from_secs(8)) => result.unwrap_err(),
        () = watched => unreachable!(),
    };
    let text = error.chain();
    let process: i32 = reader.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    assert!(matches!(error, Error::Unavailable { .. }), "{text}");
    assert!(text.contains("changed nothing") && text.contains(&format!("process {process}")), "{text}");
    assert!(text.contains("idle in transaction"), "{text}");

    reader.batch_execute("COMMIT").await.unwrap();
    let summary = migrate(&world, ADD_COLUMN, Duration::from_secs(8)).await.unwrap();
    assert_eq!((summary.applied.len(), summary.platform_version), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_gets_its_lock_as_soon_as_the_long_reader_ends() {
    let world = World::new().await;
    let reader = long_reader(&world).await;
    let end = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        reader.batch_execute("COMMIT").await.unwrap();
    };
    let (result, ()) = tokio::join!(migrate(&world, ADD_COLUMN, Duration::from_secs(30)), end);
    assert_eq!(result.unwrap().applied.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_at_the_same_time_are_serialized_and_apply_each_migration_once() {
    // Without the lock, runs at the same time would add the column twice, and all but one would fail.
    let world = World::new().await;
    let runs = join_all((0..4).map(|_| migrate(&world, ADD_COLUMN, Duration::from_secs(30)))).await;
    let mut applied: Vec<usize> = runs.into_iter().map(|run| run.unwrap().applied.len()).collect();
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 0, 1]);

    // Another run holds the lock for as long as its connection is open.
    let other = world.client().await;
    other.batch_execute("SELECT pg_advisory_lock(hashtext('landlord migrate-platform'))").await.unwrap();
    let mut waits = Box::pin(migrate(&world, ADD_COLUMN, Duration::from_secs(30)));
    let is_waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    tokio::select! {
        _ = &mut waits => panic!("the run did not wait"),
        _ = until("the run waits", Duration::from_secs(30), async || world.count(is_waiting).await == 1) => {}
    }
    drop(other);
    assert!(waits.await.unwrap().applied.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_built_while_others_write_and_an_interrupted_build_is_repeated() {
    const BUILD: &str = "DROP INDEX CONCURRENTLY IF EXISTS tenants_by_name;
                         CREATE INDEX CONCURRENTLY tenants_by_name ON tenants (name)";
    let world = World::new().await;
    let owner = world.client().await;
    // What an interrupted build leaves.
    owner.batch_execute("CREATE INDEX tenants_by_name ON tenants (name)").await.unwrap();
    let writer = world.client().await;
    writer.batch_execute("BEGIN; UPDATE tenants SET name = name").await.unwrap();
    let end = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        // Not behind the build.
        owner.batch_execute("SET statement_timeout = '1s'; UPDATE tenants SET name = name").await.unwrap();
        writer.batch_execute("COMMIT").await.unwrap();
    };
    let (result, ()) = tokio::join!(migrate(&world, BUILD, Duration::from_secs(8)), end);
    assert_eq!(result.unwrap().platform_version, 2);
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'tenants_by_name'::regclass";
    assert!(owner.query_one(valid, &[]).await.unwrap().get::<_, bool>(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_present_code_works_with_the_next_schema() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let before = api.create_tenant("kopi").await;
    migrate(&world, ADD_COLUMN, Duration::from_secs(8)).await.unwrap();
    let after = api.create_tenant("teh").await;
    for tenant in [before, after] {
        let id = tenant["id"].as_str().unwrap();
        assert_eq!(api.get(&format!("/tenants/{id}")).await.json["id"], id);
    }
}
