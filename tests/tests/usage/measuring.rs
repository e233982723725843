//! Tenants are measured in their own databases, and the figures are recorded.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use measure_usage::App;
use mongodb::bson::{DateTime, doc};
use serde_json::{Value, json};
use shared::{
    clients::{postgres::Postgres, s3::Bucket},
    config::{FromEnv, MeasuringConfig, S3Config},
    types::{Month, TenantId},
    usage::{
        CollectionFigures, MeasuredPart, Measurement, MeasurementClaim, MeasurementIntervals, ObjectListing,
        RecordMeasurement, UserFigures, record_measurement, store::claim_measurement,
    },
};
use tests::{
    platform::mongo,
    proxy::{Mode, Proxy},
};

use crate::stage::{ProvisionedTenant, UsageStage, about, deliver, id, insert, measure};

/// A message that was created at `at`.
fn message(at: DateTime) -> mongodb::bson::Document {
    doc! {
        "_id": id(), "conversation_id": id(), "channel_id": id(), "direction": "inbound", "type": "text",
        "status": "received", "text": "Halo", "created_at": at,
    }
}

fn channel(kind: &str, external_id: &str, status: &str) -> mongodb::bson::Document {
    let now = DateTime::now();
    doc! {
        "_id": id(), "kind": kind, "name": kind, "external_id": external_id, "status": status,
        "created_at": now, "updated_at": now,
    }
}

async fn put(tenant: &ProvisionedTenant, name: &str, bytes: usize) {
    let config = S3Config::from_env().unwrap();
    let bucket = Bucket::connect(&config).unwrap();
    let key = format!("{}{name}", tenant.id.object_prefix());
    let object = bucket.client().await.put_object().bucket(&bucket.name).key(key);
    object.body(vec![0; bytes].into()).send().await.unwrap();
}

/// Fills a tenant's own stores.
async fn fill(stage: &UsageStage, tenant: &ProvisionedTenant) {
    stage
        .inside(tenant)
        .await
        .batch_execute(
            "INSERT INTO users (id, email, full_name, role, status, online_until)
             SELECT gen_random_uuid(), 'agent' || n || '@example.com', 'Agent ' || n, 'agent',
                    CASE WHEN n > 9 THEN 'deactivated' ELSE 'active' END,
                    now() + CASE WHEN n % 3 = 0 THEN interval '1 minute' ELSE interval '-1 minute' END
             FROM generate_series(1, 12) AS n",
        )
        .await
        .unwrap();
    let mongo = mongo().await;
    let month = Month::current();
    let begin = month.begin().unix_timestamp() * 1000;
    let mut messages: Vec<_> = (0..40).map(|n| message(DateTime::from_millis(begin + n))).collect();
    // The last moment of the previous month, and the first one of the next month.
    messages.extend(
        [-1, month.next().begin().unix_timestamp() * 1000 - begin].map(|at| message(DateTime::from_millis(begin + at))),
    );
    insert(&mongo, tenant, "messages", messages).await;
    let contact = |n: i32| {
        let now = DateTime::now();
        doc! { "_id": id(), "name": format!("Contact {n}"), "identities": [], "created_at": now, "updated_at": now }
    };
    insert(&mongo, tenant, "contacts", (0..25).map(contact).collect()).await;
    let channels = [
        channel("whatsapp", "1", "connected"),
        channel("whatsapp", "2", "connected"),
        channel("email", "3", "connected"),
        channel("instagram", "4", "disconnected"),
        channel("messenger", "5", "error"),
    ];
    insert(&mongo, tenant, "channels", channels.into()).await;
}

#[tokio::test]
async fn one_measurement_shows_the_contents_of_a_tenants_own_stores() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    let app = Arc::new(stage.function().await);
    measure(&app, &[tenant.id]).await;
    let empty = stage.usage(tenant.id).await;
    assert_eq!(
        [&empty["agents"], &empty["agents_online"], &empty["contacts"], &empty["messages_month"], &empty["error"]],
        [&json!(1), &json!(0), &json!(0), &json!(0), &json!(null)],
        "only the first user"
    );
    fill(&stage, &tenant).await;
    put(&tenant, "media/a", 3_000_000).await;
    put(&tenant, "media/b", 5).await;
    measure(&app, &[tenant.id]).await;
    let full = stage.usage(tenant.id).await;
    assert_eq!(
        [&full["agents"], &full["agents_online"], &full["contacts"], &full["messages_month"], &full["source"]],
        [&json!(10), &json!(3), &json!(25), &json!(40), &json!("measured")]
    );
    let bytes = |usage: &Value| usage["storage_bytes"].as_i64().unwrap();
    let more = bytes(&full) - bytes(&empty);
    assert!((3_000_005..20_000_000).contains(&more), "{more}");
    assert!(bytes(&empty) > 1_000_000, "empty databases have a size too: {empty}");
    assert!(full["measured_at"].as_str() > empty["measured_at"].as_str());
    let row = stage
        .owner
        .query_one("SELECT channels, extract(epoch FROM due_at - now())::float8 FROM tenant_usage", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, Vec<String>>(0), ["email", "whatsapp"]);
    assert!((890.0..=900.0).contains(&row.get::<_, f64>(1)), "an active tenant is due again in 15 minutes");
}

#[tokio::test]
async fn a_suspended_tenant_is_measured_less_often() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    stage.sql("UPDATE tenants SET status = 'suspended'").await;
    measure(&Arc::new(stage.function().await), &[tenant.id]).await;
    assert_eq!(stage.usage(tenant.id).await["agents"], 1);
    let row =
        stage.owner.query_one("SELECT due_at > now() + interval '23 hours' FROM tenant_usage", &[]).await.unwrap();
    assert!(row.get::<_, bool>(0));
}

#[tokio::test]
async fn a_malformed_message_fails_alone() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    let app = Arc::new(stage.function().await);
    let too_many: Vec<_> = (0..26).map(|_| TenantId::generate()).collect();
    let bodies = [
        "not JSON".to_owned(),
        about(&[tenant.id]),
        json!({ "tenant_ids": "all" }).to_string(),
        json!({ "tenant_ids": [] }).to_string(),
        json!({ "tenant_ids": [tenant.id], "also": 1 }).to_string(),
        json!({ "tenant_ids": ["x'; DROP TABLE users"] }).to_string(),
        about(&too_many),
        String::new(),
    ];
    assert_eq!(deliver(&app, &bodies).await, ["0", "2", "3", "4", "5", "6", "7"]);
    assert_eq!(stage.usage(tenant.id).await["agents"], 1);
}

#[tokio::test]
async fn without_the_platform_database_messages_are_redelivered() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    let mut config = stage.world.api();
    let (proxy, url) = Proxy::before(&config.url).await;
    config.url = url;
    let platform = Postgres::connect(&config).unwrap();
    let app = Arc::new(App { platform, ..stage.function().await });
    proxy.set(Mode::Cut);
    assert_eq!(deliver(&app, &[about(&[tenant.id]), "{}".to_owned()]).await, ["0", "1"]);
    proxy.set(Mode::Pass);
    measure(&app, &[tenant.id]).await;
    assert_eq!(stage.usage(tenant.id).await["agents"], 1);
}

/// A measurement with these numbers of users and of messages in a month.
fn measurement(claim: &MeasurementClaim, active: i64, month: Month, messages: i64) -> Measurement {
    Measurement {
        at: claim.at,
        users: MeasuredPart::Measured(UserFigures { active, online: 0, database_bytes: 0 }),
        collections: MeasuredPart::Measured(CollectionFigures {
            contacts: 0,
            month,
            messages,
            channels: vec![],
            database_bytes: 0,
        }),
        objects: MeasuredPart::Measured(ObjectListing::default()),
    }
}

#[tokio::test]
async fn of_two_measurements_only_the_one_that_began_later_is_recorded() {
    let stage = UsageStage::new().await;
    stage.seed(1).await;
    let tenant = stage.id("t-1").await;
    let intervals = MeasurementIntervals {
        active: Duration::from_mins(15),
        suspended: Duration::from_hours(24),
        retry: Duration::from_mins(5),
        objects: Duration::from_hours(24),
    };
    let mut connection = stage.world.api_pool().get().await.unwrap();
    let (this, last) = (Month::current(), Month::current().previous());
    for late_first in [true, false] {
        let late = claim_measurement(&connection, tenant).await.unwrap().unwrap();
        let newer = claim_measurement(&connection, tenant).await.unwrap().unwrap();
        let mut record = async |claim: &MeasurementClaim, agents| {
            let measurement = measurement(claim, agents, this, agents);
            let command = RecordMeasurement { claim, measurement: &measurement, intervals };
            record_measurement(&mut connection, &command).await.unwrap().is_some()
        };
        if late_first {
            assert!(!record(&late, 1).await);
        }
        assert!(record(&newer, 2).await);
        if !late_first {
            assert!(!record(&late, 1).await);
        }
        assert_eq!(stage.usage(tenant).await["agents"], 2);
    }
    // Begun before the month ended, recorded when messages of the new month are already counted.
    let claim = claim_measurement(&connection, tenant).await.unwrap().unwrap();
    let command = RecordMeasurement { claim: &claim, measurement: &measurement(&claim, 3, last, 3), intervals };
    record_measurement(&mut connection, &command).await.unwrap().unwrap();
    let usage = stage.usage(tenant).await;
    assert_eq!((&usage["agents"], &usage["messages_month"]), (&json!(3), &json!(2)));
}

#[tokio::test]
async fn the_beginning_of_a_measurement_changes_no_index() {
    let stage = UsageStage::new().await;
    stage.seed(20).await;
    let mut connection = stage.world.api_pool().get().await.unwrap();
    let transaction = connection.transaction().await.unwrap();
    for row in transaction.query("SELECT id FROM tenants", &[]).await.unwrap() {
        claim_measurement(&transaction, TenantId(row.get(0))).await.unwrap().unwrap();
    }
    let sql = "SELECT pg_stat_get_xact_tuples_updated('tenant_usage'::regclass),
                      pg_stat_get_xact_tuples_hot_updated('tenant_usage'::regclass)";
    let row = transaction.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (20, 20));
}

#[tokio::test]
async fn objects_are_listed_once_a_day_and_the_rest_is_measured_each_time() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    let config = MeasuringConfig::default();
    let app = Arc::new(App { config, ..stage.function().await });
    let measured = async || {
        measure(&app, &[tenant.id]).await;
        let row = stage.owner.query_one("SELECT object_bytes, measured_at FROM tenant_usage", &[]).await.unwrap();
        (row.get::<_, i64>(0), row.get::<_, time::OffsetDateTime>(1))
    };
    put(&tenant, "first", 1000).await;
    let (before, first) = measured().await;
    put(&tenant, "second", 500).await;
    let (same, second) = measured().await;
    assert_eq!(same, before);
    assert!(second > first);
    stage.sql("UPDATE tenant_measurements SET not_before = not_before - interval '24 hours'").await;
    assert_eq!(measured().await.0, before + 500);
}

#[tokio::test]
async fn a_listing_that_was_cut_off_goes_on_after_the_last_object() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    for (name, bytes) in [("a", 1000), ("b", 200), ("c", 30)] {
        put(&tenant, name, bytes).await;
    }
    let app = Arc::new(stage.function().await);
    measure(&app, &[tenant.id]).await;
    let whole = "SELECT object_bytes FROM tenant_usage WHERE object_bytes >= 1230";
    assert_eq!(stage.world.count(whole).await, 1);
    // An earlier measurement has listed 7,000 bytes up to the second object.
    let after = format!("{}b", tenant.id.object_prefix());
    stage
        .sql(&format!(
            "UPDATE tenant_measurements SET listed_bytes = 7000, listed_after = '{after}' WHERE store = 'object_storage'"
        ))
        .await;
    measure(&app, &[tenant.id]).await;
    assert_eq!(stage.world.count("SELECT FROM tenant_usage WHERE object_bytes = 7030").await, 1);
    measure(&app, &[tenant.id]).await;
    assert_eq!(stage.world.count(whole).await, 1, "the next listing begins from the start");
}

#[tokio::test]
async fn a_listing_that_is_cut_off_again_and_again_ends_with_the_exact_sum() {
    const OBJECTS: usize = 2100;
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    let listed = async |columns: &str| {
        let sql = format!(
            "SELECT {columns} FROM tenant_usage u JOIN tenant_measurements m USING (tenant_id)
                           WHERE store = 'object_storage'"
        );
        stage.owner.query_one(&sql, &[]).await.unwrap()
    };
    let whole = Arc::new(stage.function().await);
    measure(&whole, &[tenant.id]).await;
    let before: i64 = listed("object_bytes").await.get(0);
    let config = S3Config::from_env().unwrap();
    let bucket = Bucket::connect(&config).unwrap();
    let client = bucket.client().await;
    futures::stream::iter(0..OBJECTS)
        .for_each_concurrent(16, async |number| {
            let key = format!("{}media/{number:05}", tenant.id.object_prefix());
            client.put_object().bucket(&bucket.name).key(key).body(vec![0; 3].into()).send().await.unwrap();
        })
        .await;
    let mut app = stage.function().await;
    let (mut timeout, mut cut_off) = (Duration::from_millis(5), 0);
    loop {
        stage.sql("UPDATE tenant_measurements SET not_before = now()").await;
        app.config.tenant_timeout = timeout;
        let shared = Arc::new(app);
        measure(&shared, &[tenant.id]).await;
        app = Arc::into_inner(shared).unwrap();
        let row = listed("m.error, m.listed_bytes, object_bytes").await;
        match (row.get::<_, Option<&str>>(0), row.get::<_, Option<i64>>(1)) {
            (None, listed) => {
                assert_eq!((listed, row.get::<_, i64>(2)), (None, before + 3 * i64::try_from(OBJECTS).unwrap()));
                break;
            }
            (Some("deadline_exceeded"), Some(_)) => {
                cut_off += 1;
                assert_eq!(row.get::<_, i64>(2), before, "the last complete sum stays");
            }
            // Not even one page was listed.
            (error, _) => assert_eq!(error, Some("object_storage_unavailable")),
        }
        timeout = timeout.mul_f64(1.15);
    }
    assert!(cut_off > 0);
}
