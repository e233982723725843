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
    types::TenantId,
};
use tests::{
    platform::mongo,
    proxy::{Mode, Proxy},
};

use crate::stage::{ProvisionedTenant, UsageStage, about, clusters, deliver, measure, mongo_host, mongo_url};

/// Gives all tenants figures of an earlier measurement.
async fn seed_figures(stage: &UsageStage) {
    stage
        .sql(
            "UPDATE tenant_usage SET agents = 77, agents_online = 7, contacts = 777, storage_bytes = 7777,
                postgres_bytes = NULL, mongo_bytes = NULL, object_bytes = NULL,
                month = date_trunc('month', now() AT TIME ZONE 'UTC'), messages_measured = 70, channels = '{email}',
                measured_at = '2026-01-01', due_at = now();
             DELETE FROM tenant_measurements;
             INSERT INTO tenant_measurements (tenant_id, store, measured_at, not_before)
             SELECT tenant_id, store, '2026-01-01', '2026-01-01'
             FROM tenant_usage, unnest(ARRAY['postgresql', 'mongodb', 'object_storage']) AS s (store)",
        )
        .await;
}

/// Asserts that a tenant keeps the figures of the store that failed, has those of the other database, has the reason, and is due again
/// within five minutes.
async fn assert_failed(stage: &UsageStage, tenant: &ProvisionedTenant, store: &str, code: &str) {
    let usage = stage.usage(tenant.id).await;
    assert_eq!(usage["error"], code, "{usage}");
    let (users, collections) = match store {
        "postgresql" => ([77, 7], [0, 0]),
        "mongodb" => ([1, 0], [777, 70]),
        _ => ([1, 0], [0, 0]),
    };
    assert_eq!(
        [&usage["agents"], &usage["agents_online"], &usage["contacts"], &usage["messages_month"]],
        [users[0], users[1], collections[0], collections[1]].map(|figure| json!(figure)).each_ref(),
        "{code}"
    );
    if ["postgresql", "mongodb"].contains(&store) {
        assert_eq!(usage["storage_bytes"], 7777, "the size of a database is unknown");
        assert_eq!(usage["measured_at"], "2026-01-01T00:00:00.000000Z", "the older of the figures");
    } else {
        assert!(usage["storage_bytes"].as_i64().unwrap() > 1_000_000, "the sizes of both databases: {usage}");
    }
    let sql = "SELECT (channels = '{email}') = ($2 = 'mongodb') AND failed_at > now() - interval '1 min'
                   AND due_at BETWEEN now() + interval '2 min' AND now() + interval '5 min'
               FROM tenant_usage WHERE tenant_id = $1";
    assert!(stage.owner.query_one(sql, &[&tenant.id.0, &store]).await.unwrap().get::<_, bool>(0), "{code}");
}

/// Ends the waits after failures.
async fn end_waits(stage: &UsageStage) {
    stage.sql("UPDATE tenant_measurements SET not_before = now()").await;
}

#[tokio::test]
async fn a_missing_or_hanging_database_keeps_its_figures_and_delays_neither_the_other_stores_nor_other_tenants() {
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
    assert_failed(&stage, no_postgres, "postgresql", "database_missing").await;
    assert_failed(&stage, no_mongo, "mongodb", "database_missing").await;
    assert_failed(&stage, hung_postgres, "postgresql", "postgresql_unavailable").await;
    assert_failed(&stage, hung_mongo, "mongodb", "mongodb_unavailable").await;
    assert_failed(&stage, cut_mongo, "mongodb", "mongodb_unavailable").await;
    assert_failed(&stage, lost, "mongodb", "cluster_unknown").await;

    to_postgres.set(Mode::Pass);
    to_mongo.set(Mode::Pass);
    to_cut.set(Mode::Pass);
    end_waits(&stage).await;
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
    assert_failed(&stage, &tenant, "postgresql", "deadline_exceeded").await;
    holder.batch_execute("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn a_failing_bucket_does_not_keep_the_databases_from_being_measured() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    seed_figures(&stage).await;
    let mut app = stage.function().await;
    app.stores.bucket =
        Bucket::connect(&S3Config { bucket: "no-such-bucket".to_owned(), ..S3Config::from_env().unwrap() }).unwrap();
    measure(&Arc::new(app), &[tenant.id]).await;
    assert_failed(&stage, &tenant, "object_storage", "unexpected").await;
}

#[tokio::test]
async fn a_store_that_fails_again_and_again_is_tried_more_and_more_rarely_and_the_others_as_before() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    stage.sql("UPDATE tenants SET mongo_cluster = 'nowhere'").await;
    let app = Arc::new(stage.function().await);
    let of_mongo = "SELECT failures, extract(epoch FROM not_before - now())::float8 FROM tenant_measurements
                    WHERE store = 'mongodb'";
    let of_tenant = "SELECT extract(epoch FROM due_at - now())::float8, epoch FROM tenant_usage";
    for number in 1..=9 {
        end_waits(&stage).await;
        measure(&app, &[tenant.id]).await;
        let row = stage.owner.query_one(of_mongo, &[]).await.unwrap();
        let longest = (300.0 * 2_f64.powi(number - 1)).min(21_600.0);
        assert_eq!(row.get::<_, i32>(0), number);
        let wait: f64 = row.get(1);
        assert!((longest / 2.0 - 60.0..=longest).contains(&wait), "{number}: {wait}");
        let due: f64 = stage.owner.query_one(of_tenant, &[]).await.unwrap().get(0);
        assert!((wait.min(900.0) - 60.0..=900.0).contains(&due), "{number}: {due}");
    }
    let row = stage.owner.query_one(of_mongo, &[]).await.unwrap();
    measure(&app, &[tenant.id]).await;
    let after = stage.owner.query_one(of_mongo, &[]).await.unwrap();
    assert_eq!(after.get::<_, i32>(0), row.get::<_, i32>(0), "it is left out while it waits");
    assert_eq!(stage.owner.query_one(of_tenant, &[]).await.unwrap().get::<_, i64>(1), 10);
    let fresh = "SELECT FROM tenant_measurements WHERE measured_at > now() - interval '1 min' AND failures = 0";
    assert_eq!(stage.world.count(fresh).await, 2, "the other stores were measured");

    stage.sql("UPDATE tenants SET mongo_cluster = 'main'").await;
    end_waits(&stage).await;
    measure(&app, &[tenant.id]).await;
    assert_eq!(stage.owner.query_one(of_mongo, &[]).await.unwrap().get::<_, i32>(0), 0);
    assert_eq!(stage.usage(tenant.id).await["error"], json!(null));
}

#[tokio::test]
async fn a_cluster_that_is_down_is_tried_by_a_few_tenants_of_a_batch_and_then_by_one_at_a_time() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    stage.seed(45).await;
    stage.sql("UPDATE tenants SET postgres_cluster = 'main', mongo_cluster = 'hung'").await;
    let mut app = stage.function().await;
    let proxy = Proxy::to(&mongo_host()).await;
    let of_mongo = clusters([("hung", mongo_url(&proxy.address, "directConnection=true").into())]);
    app.stores.mongo = MongoClusters::connect(&of_mongo, &MongoSettings::from_env().unwrap()).unwrap();
    app.config.tenant_timeout = Duration::from_secs(2);
    let app = Arc::new(app);
    proxy.set(Mode::Hang);
    let rows = stage.owner.query("SELECT id FROM tenants ORDER BY created_at", &[]).await.unwrap();
    let ids: Vec<TenantId> = rows.iter().map(|row| TenantId(row.get(0))).collect();
    let bodies: Vec<String> = ids.chunks(25).map(about).collect();

    assert_eq!(deliver(&app, &bodies).await, Vec::<String>::new());

    let unavailable = "SELECT FROM tenant_measurements WHERE store = 'mongodb' AND error = 'mongodb_unavailable'";
    assert_eq!(stage.world.count(unavailable).await, 46, "each tenant has the reason");
    let tried = stage.world.count(&format!("{unavailable} AND failures = 1")).await;
    // Eight are measured at a time, and the third failure opens the breaker.
    assert!((3..=10).contains(&tried), "{tried}");
    let measured = "SELECT FROM tenant_measurements WHERE store = 'postgresql'";
    assert_eq!(stage.world.count(measured).await, 46, "PostgreSQL was asked for each");
    assert_eq!(stage.world.count("SELECT FROM store_breakers WHERE purpose = 'operations'").await, 0);

    proxy.set(Mode::Pass);
    end_waits(&stage).await;
    measure(&app, &[tenant.id]).await;
    assert_eq!(stage.usage(tenant.id).await["error"], "mongodb_unavailable", "the breaker is still open");
    end_waits(&stage).await;
    stage.sql("UPDATE store_breakers SET open_until = now()").await;
    measure(&app, &[tenant.id]).await;
    assert_eq!(stage.usage(tenant.id).await["error"], json!(null));
    assert_eq!(stage.world.count("SELECT FROM store_breakers").await, 0, "one success closes it");
}

#[tokio::test]
async fn a_measurement_that_wakes_up_late_changes_nothing() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    let mut frozen = stage.function().await;
    let proxy = Proxy::to(&mongo_host()).await;
    let of_mongo = clusters([("main", mongo_url(&proxy.address, "directConnection=true").into())]);
    frozen.stores.mongo = MongoClusters::connect(&of_mongo, &MongoSettings::from_env().unwrap()).unwrap();
    frozen.config.tenant_timeout = Duration::from_secs(8);
    proxy.set(Mode::Hang);
    let frozen = Arc::new(frozen);
    let id = tenant.id;
    let late = tokio::spawn(async move { measure(&frozen, &[id]).await });
    let begun = async || stage.world.count("SELECT FROM tenant_usage WHERE epoch = 1").await == 1;
    tests::until("the measurement has begun", Duration::from_secs(10), begun).await;
    measure(&Arc::new(stage.function().await), &[id]).await;
    let rows = async || {
        let sql = "SELECT jsonb_agg(m ORDER BY store)::text || (SELECT jsonb_agg(u) FROM tenant_usage u)::text
                   FROM tenant_measurements m";
        stage.owner.query_one(sql, &[]).await.unwrap().get::<_, String>(0)
    };
    let before = rows().await;
    late.await.unwrap();
    assert_eq!(rows().await, before);
    assert_eq!(stage.usage(id).await["error"], json!(null));
}
