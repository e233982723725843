//! Tenants are measured in their own databases, and the figures are recorded.

use std::{sync::Arc, time::Duration};

use measure_usage::App;
use mongodb::bson::{DateTime, doc};
use serde_json::{Value, json};
use shared::{
    clients::{postgres::Postgres, s3::Bucket},
    config::{FromEnv, MeasuringConfig, S3Config},
    types::{Month, TenantId},
    usage::{Measurement, MeasurementIntervals, ObjectSum, RecordMeasurement, record_measurement},
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

#[tokio::test]
async fn the_later_of_two_measurements_wins_in_either_order_of_recording() {
    let stage = UsageStage::new().await;
    stage.seed(1).await;
    let tenant = stage.id("t-1").await;
    let now = time::OffsetDateTime::now_utc();
    let intervals = MeasurementIntervals {
        active: Duration::from_mins(15),
        suspended: Duration::from_hours(24),
        retry: Duration::from_mins(5),
    };
    let mut connection = stage.world.api_pool().get().await.unwrap();
    let mut record = async |at: time::OffsetDateTime, agents: i64, month: Month| {
        let measurement = Measurement {
            at,
            agents,
            agents_online: 0,
            contacts: 0,
            month,
            messages: agents,
            storage_bytes: 0,
            objects: ObjectSum { bytes: 0, listed_at: at },
            channels: vec![],
        };
        let command = RecordMeasurement { tenant_id: tenant, measurement: &measurement, intervals };
        record_measurement(&mut connection, &command).await.unwrap();
    };
    let (this, last) = (Month::current(), Month::current().previous());
    record(now, 2, this).await;
    record(now - Duration::from_secs(5), 1, this).await;
    assert_eq!(stage.usage(tenant).await["agents"], 2);
    // Begun before the month ended, recorded when messages of the new month are already counted.
    record(now + Duration::from_secs(5), 3, last).await;
    let usage = stage.usage(tenant).await;
    assert_eq!((&usage["agents"], &usage["messages_month"]), (&json!(3), &json!(2)));
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
    let yesterday = "UPDATE tenant_usage SET objects_listed_at = objects_listed_at - interval '24 hours'";
    stage.sql(yesterday).await;
    assert_eq!(measured().await.0, before + 500);
}
