//! Stores that are missing, hang or are slow: the tenant keeps its figures, the reason is recorded, and no other tenant is
//! delayed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use measure_usage::App;
use serde_json::json;
use shared::{
    clients::{
        clusters::{MongoClusters, PostgresClusters},
        postgres::connect_once,
        s3::Bucket,
    },
    config::{FromEnv, MeasuringConfig, MongoSettings, PostgresConfig, S3Config},
};
use tests::{
    platform::mongo,
    proxy::{Mode, Proxy},
};

use crate::stage::{ProvisionedTenant, UsageStage, clusters, measure, mongo_host, mongo_url};

/// Gives all tenants figures of an earlier measurement.
async fn seed_figures(stage: &UsageStage) {
    stage
        .sql(
            "UPDATE tenant_usage SET agents = 77, agents_online = 7, contacts = 777, storage_bytes = 7777,
                month = date_trunc('month', now() AT TIME ZONE 'UTC'), messages_measured = 70, channels = '{email}',
                measured_at = '2026-01-01', due_at = now()",
        )
        .await;
}

/// Asserts that a tenant whose measurement failed keeps its figures, has the reason, and is due again in five minutes.
async fn assert_failed(stage: &UsageStage, tenant: &ProvisionedTenant, code: &str) {
    let usage = stage.usage(tenant.id).await;
    assert_eq!(usage["error"], code, "{usage}");
    assert_eq!(
        [
            &usage["agents"],
            &usage["agents_online"],
            &usage["contacts"],
            &usage["messages_month"],
            &usage["storage_bytes"]
        ],
        [&json!(77), &json!(7), &json!(777), &json!(70), &json!(7777)],
        "{code}"
    );
    assert_eq!(usage["measured_at"], "2026-01-01T00:00:00.000000Z");
    let sql = "SELECT channels = '{email}' AND failed_at > now() - interval '1 min'
                   AND due_at BETWEEN now() + interval '4 min' AND now() + interval '5 min'
               FROM tenant_usage WHERE tenant_id = $1";
    assert!(stage.owner.query_one(sql, &[&tenant.id.0]).await.unwrap().get::<_, bool>(0), "{code}");
}

#[tokio::test]
async fn a_missing_or_hanging_database_keeps_the_tenants_figures_and_delays_no_other_tenant() {
    let stage = UsageStage::new().await;
    let mut tenants = Vec::new();
    for slug in ["well", "no-postgres", "no-mongo", "hung-postgres", "hung-mongo", "cut-mongo", "lost", "well-too"] {
        tenants.push(stage.provision(slug).await);
    }
    let [well, no_postgres, no_mongo, hung_postgres, hung_mongo, cut_mongo, lost, well_too] = &tenants[..] else {
        panic!()
    };
    seed_figures(&stage).await;
    let patient = PostgresConfig { statement_timeout: Duration::from_mins(1), ..stage.world.provisioner() };
    let provisioner = connect_once(&patient, None).await.unwrap();
    provisioner.batch_execute(&format!("DROP DATABASE {}", no_postgres.database)).await.unwrap();
    mongo().await.database(&no_mongo.database).drop().await.unwrap();

    let mut app = stage.function().await;
    let postgres = stage.world.api();
    let (to_postgres, proxied) = Proxy::before(&postgres.url).await;
    let (to_mongo, to_cut) = (Proxy::to(&mongo_host()).await, Proxy::to(&mongo_host()).await);
    let of_postgres = clusters([("main", postgres.url.clone()), ("proxied", proxied)]);
    app.stores.postgres = PostgresClusters::connect(&of_postgres, &postgres).unwrap();
    let direct = "directConnection=true";
    let of_mongo = clusters([
        ("main", mongo_url(&mongo_host(), "replicaSet=rs0").into()),
        ("hung", mongo_url(&to_mongo.address, direct).into()),
        ("cut", mongo_url(&to_cut.address, direct).into()),
    ]);
    app.stores.mongo = MongoClusters::connect(&of_mongo, &MongoSettings::from_env().unwrap()).unwrap();
    let place = async |tenant: &ProvisionedTenant, column: &str, cluster: &str| {
        let sql = format!("UPDATE tenants SET {column} = '{cluster}' WHERE id = '{}'", tenant.id);
        stage.sql(&sql).await;
    };
    place(hung_postgres, "postgres_cluster", "proxied").await;
    place(hung_mongo, "mongo_cluster", "hung").await;
    place(cut_mongo, "mongo_cluster", "cut").await;
    place(lost, "mongo_cluster", "nowhere").await;
    let app = Arc::new(app);
    // Measures once while everything works, so that connections are open when the stores begin to hang.
    measure(&app, &[hung_postgres.id, hung_mongo.id, cut_mongo.id]).await;
    assert_eq!(stage.usage(hung_mongo.id).await["agents"], 1);
    seed_figures(&stage).await;
    to_postgres.set(Mode::Hang);
    to_mongo.set(Mode::Hang);
    to_cut.set(Mode::Cut);

    let ids: Vec<_> = tenants.iter().map(|tenant| tenant.id).collect();
    let begun = Instant::now();
    let all = async {
        measure(&app, &ids).await;
        begun.elapsed()
    };
    let others = async {
        for tenant in [well, well_too] {
            while stage.usage(tenant.id).await["agents"] != 1 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        begun.elapsed()
    };
    let (all, others) = tokio::join!(all, others);
    // A tenant whose store hangs may take five seconds. The other tenants do not wait for it.
    assert!((Duration::from_secs(5)..Duration::from_secs(8)).contains(&all), "{all:?}");
    assert!(others + Duration::from_secs(1) < all, "{others:?} {all:?}");
    assert_failed(&stage, no_postgres, "database_missing").await;
    assert_failed(&stage, no_mongo, "database_missing").await;
    assert_failed(&stage, hung_postgres, "postgresql_unavailable").await;
    assert_failed(&stage, hung_mongo, "mongodb_unavailable").await;
    assert_failed(&stage, cut_mongo, "mongodb_unavailable").await;
    assert_failed(&stage, lost, "cluster_unknown").await;

    to_postgres.set(Mode::Pass);
    to_mongo.set(Mode::Pass);
    to_cut.set(Mode::Pass);
    measure(&app, &ids).await;
    for tenant in [hung_postgres, hung_mongo, cut_mongo] {
        let usage = stage.usage(tenant.id).await;
        assert_eq!((&usage["agents"], &usage["error"]), (&json!(1), &json!(null)), "the store works again");
    }
}

#[tokio::test]
async fn a_slow_count_is_cancelled_by_the_store_itself() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    seed_figures(&stage).await;
    let holder = connect_once(&stage.world.provisioner(), Some(&tenant.database)).await.unwrap();
    // Otherwise the server would end the idle holder of the lock first.
    holder.batch_execute("SET idle_in_transaction_session_timeout = 0").await.unwrap();
    holder.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let config = MeasuringConfig { tenant_timeout: Duration::from_secs(8), ..MeasuringConfig::default() };
    let app = Arc::new(App { config, ..stage.function().await });
    let begun = Instant::now();
    measure(&app, &[tenant.id]).await;
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    assert_failed(&stage, &tenant, "deadline_exceeded").await;
    holder.batch_execute("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn a_failing_bucket_keeps_the_figures() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    seed_figures(&stage).await;
    let mut app = stage.function().await;
    app.stores.bucket =
        Bucket::connect(&S3Config { bucket: "no-such-bucket".to_owned(), ..S3Config::from_env().unwrap() }).unwrap();
    measure(&Arc::new(app), &[tenant.id]).await;
    assert_failed(&stage, &tenant, "unexpected").await;
}
