//! Each store cut off and hanging: the report is in time and correct about all of them.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::{config::Cluster, health::Component};
use tests::{Answer, api::answer, proxy::Mode, queues};

use crate::stage::{HealthStage, LIMIT, MARGIN, STORES};

/// Asserts the report while some stores are down.
fn assert_report(what: &str, answer: &Answer, took: Duration, down: &[Component]) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{what}: {}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json", "{what}");
    assert!(took < LIMIT + MARGIN, "{what} took {took:?}");
    assert_eq!(answer.json["status"], "unhealthy", "{what}");
    for store in STORES {
        let reading = &answer.json["infrastructure"][store.as_str()];
        if down.contains(&store) {
            assert_eq!(reading["status"], "down", "{what}: {reading}");
            assert_eq!(reading["latency_ms"], Value::Null, "{what}: {reading}");
            assert!(reading["error"].as_str().is_some_and(|error| error.len() > 5), "{what}: {reading}");
        } else {
            assert_eq!(reading["status"], "up", "{what}: {store}: {reading}");
            assert!(reading["latency_ms"].as_f64().unwrap() > 0.0, "{what}: {reading}");
        }
    }
    let database_is_up = !down.contains(&Component::PostgreSql);
    assert_eq!(answer.json["tenants"]["total"].is_i64(), database_is_up, "{what}: {}", answer.json["tenants"]);
    let sqs = &answer.json["infrastructure"]["sqs"];
    assert_eq!(sqs["oldest_age_seconds"].is_f64(), database_is_up, "{what}: {sqs}");
    for channel in ["whatsapp", "instagram", "messenger", "email"] {
        let reading = &answer.json["integrations"][channel];
        assert_eq!(reading["tenants"].is_i64(), database_is_up, "{what}: {reading}");
        assert_eq!(reading["status"], "not_configured", "{what}: {reading}");
        assert!(reading["reason"].is_string(), "{what}: {reading}");
    }
    for internal in ["127.0.0.1", "landlord", "SELECT", "rs0"] {
        assert!(!answer.text.contains(internal), "{what}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_cut_off_or_hangs_is_reported_in_time_and_the_others_correctly() {
    let stage = HealthStage::new().await;
    stage.assert_healthy().await;
    for store in STORES {
        for mode in [Mode::Cut, Mode::Hang] {
            let what = format!("{store} {mode:?}");
            stage.set(store, mode);
            let (report, took) = stage.live().await;
            assert_report(&what, &report, took, &[store]);
            // Again, without a kept connection.
            let (report, took) = stage.live().await;
            assert_report(&what, &report, took, &[store]);
            println!("{what}: {} ms", took.as_millis());
            stage.set(store, Mode::Pass);
            stage.assert_healthy().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hanging_stores_or_all_of_them_take_no_longer_than_one() {
    let stage = HealthStage::new().await;
    stage.assert_healthy().await;
    let pairs = [
        [(Component::PostgreSql, Mode::Hang), (Component::Redis, Mode::Hang)],
        [(Component::MongoDb, Mode::Cut), (Component::Kafka, Mode::Hang)],
        [(Component::Redis, Mode::Hang), (Component::Sqs, Mode::Cut)],
        [(Component::PostgreSql, Mode::Cut), (Component::Minio, Mode::Hang)],
    ];
    for pair in pairs {
        for (store, mode) in pair {
            stage.set(store, mode);
        }
        let (report, took) = stage.live().await;
        assert_report(&format!("{pair:?}"), &report, took, &pair.map(|(store, _)| store));
        stage.set_all(Mode::Pass);
        stage.assert_healthy().await;
    }
    stage.set_all(Mode::Hang);
    let (report, took) = stage.live().await;
    assert_report("all", &report, took, &STORES);
    let anonymous = answer(stage.api.anonymous(Method::GET, "/health")).await;
    assert_eq!((anonymous.status, anonymous.json), (StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "unhealthy" })));
    stage.set_all(Mode::Pass);
    stage.assert_healthy().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_never_reached_is_reported_in_time() {
    let stage = HealthStage::new().await;
    stage.set_all(Mode::Hang);
    let (report, took) = stage.live().await;
    assert_report("all, from the start", &report, took, &STORES);
    stage.set_all(Mode::Pass);
    stage.assert_healthy().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_is_degraded() {
    let stage = HealthStage::with(|targets| "there-is-no-such-topic".clone_into(&mut targets.kafka.topic)).await;
    let (report, _) = stage.live().await;
    let kafka = &report.json["infrastructure"]["kafka"];
    assert_eq!((report.status, &report.json["status"]), (StatusCode::OK, &json!("degraded")), "{}", report.text);
    assert_eq!(
        (&kafka["status"], &kafka["error"], &kafka["partitions"]),
        (&json!("degraded"), &json!("the topic does not exist"), &json!(0)),
        "{kafka}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_or_queue_is_down() {
    let stage = HealthStage::with(|targets| {
        "there-is-no-such-bucket".clone_into(&mut targets.s3.bucket);
        targets.queues.relay = targets.queues.relay.as_ref().map(|url| format!("{url}-gone"));
    })
    .await;
    let (report, _) = stage.live().await;
    assert_eq!(report.status, StatusCode::SERVICE_UNAVAILABLE, "{}", report.text);
    assert_eq!(report.json["infrastructure"]["minio"]["error"], "the bucket does not exist");
    let error = report.json["infrastructure"]["sqs"]["error"].as_str().unwrap();
    assert!(error.starts_with("the queue ") && error.ends_with("-gone does not exist"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_credentials_are_reported_without_the_credentials() {
    let wrong = |url: &SecretString| {
        let (scheme, rest) = url.expose_secret().split_once("://").unwrap();
        let (_, rest) = rest.split_once('@').unwrap();
        SecretString::from(format!("{scheme}://default:not-the-password@{rest}"))
    };
    let stage = HealthStage::with(|targets| {
        targets.postgres.url = wrong(&targets.postgres.url);
        targets.postgres_clusters.0[0].url = targets.postgres.url.clone();
        targets.redis.url = wrong(&targets.redis.url);
        targets.mongo_clusters.0[0].url = wrong(&targets.mongo_clusters.0[0].url);
    })
    .await;
    let (report, _) = stage.live().await;
    for store in [Component::PostgreSql, Component::MongoDb, Component::Redis] {
        let reading = &report.json["infrastructure"][store.as_str()];
        assert_eq!(reading["error"], "credentials rejected", "{store}: {reading}");
    }
    assert!(!report.text.contains("not-the-password") && !report.text.contains("default"), "{}", report.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_degrade_sqs_and_messages_are_counted() {
    let (client, mut stage) = (queues::client().await, HealthStage::new().await);
    let dead = queues::create(&stage.world.database, "dead").await;
    let arn = QueueAttributeName::QueueArn;
    let attributes = client.get_queue_attributes().queue_url(&dead).attribute_names(arn.clone()).send().await.unwrap();
    let arn = attributes.attributes.unwrap()[&arn].clone();
    let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": 3 }).to_string();
    let name = format!("{}-with-dead-letters", stage.world.database);
    let created = client.create_queue().queue_name(&name).attributes(QueueAttributeName::RedrivePolicy, policy);
    let url = created.send().await.unwrap().queue_url.unwrap();
    stage.targets.queues.provision = Some(url.clone());
    let api = stage.another().await;
    let queue = async || {
        let report = api.get("/health?live=true").await;
        let sqs = report.json["infrastructure"]["sqs"].clone();
        (
            report.status,
            report.json["status"].clone(),
            sqs["status"].clone(),
            sqs["error"].clone(),
            sqs["queues"][&name].clone(),
        )
    };
    let nothing = json!({ "depth": 0, "in_flight": 0, "dead_letters": 0 });
    assert_eq!(queue().await, (StatusCode::OK, json!("healthy"), json!("up"), Value::Null, nothing));

    for url in [&url, &url, &dead] {
        client.send_message().queue_url(url).message_body("{}").send().await.unwrap();
    }
    client.receive_message().queue_url(&url).max_number_of_messages(1).send().await.unwrap();
    let some = json!({ "depth": 1, "in_flight": 1, "dead_letters": 1 });
    let error = json!("1 dead letter");
    assert_eq!(queue().await, (StatusCode::OK, json!("degraded"), json!("degraded"), error, some));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_clusters_down_is_degraded_and_all_of_them_is_down() {
    let nowhere = |scheme: &str| Cluster {
        name: "second".to_owned(),
        url: SecretString::from(format!("{scheme}://someone:secret@127.0.0.1:9/x?connectTimeoutMS=200")),
        max_tenants: 1,
        open: true,
        variable: "",
    };
    let stage = HealthStage::with(|targets| {
        let mut postgres = nowhere("postgres");
        postgres.url = SecretString::from("postgres://someone:secret@127.0.0.1:9/x");
        targets.postgres_clusters.0.push(postgres);
        targets.mongo_clusters.0.push(nowhere("mongodb"));
    })
    .await;
    let (report, took) = stage.live().await;
    assert_eq!((report.status, &report.json["status"]), (StatusCode::OK, &json!("degraded")), "{}", report.text);
    assert!(took < LIMIT + MARGIN, "{took:?}");
    for store in ["postgresql", "mongodb"] {
        let reading = &report.json["infrastructure"][store];
        assert_eq!(reading["status"], "degraded", "{reading}");
        assert_eq!(reading["error"], "1 of 2 clusters down");
        assert_eq!(
            (&reading["clusters"]["main"]["status"], &reading["clusters"]["second"]["status"]),
            (&json!("up"), &json!("down")),
            "{reading}"
        );
    }
    stage.set(Component::MongoDb, Mode::Cut);
    let (report, _) = stage.live().await;
    let mongodb = &report.json["infrastructure"]["mongodb"];
    assert_eq!((report.status, &mongodb["status"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("down")), "{mongodb}");
    assert_eq!(mongodb["primary"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_contains_tenant_counts_and_the_age_of_the_oldest_pending_operation() {
    let stage = HealthStage::new().await;
    let id = stage.api.create_tenant("kopi-kenangan").await["id"].as_str().unwrap().to_owned();
    stage.api.create_tenant("warung").await;
    let client = stage.world.client().await;
    stage.world.leaves_contradictions("the tenant has no databases");
    client.batch_execute(&format!("UPDATE tenants SET status = 'active' WHERE id = '{id}'")).await.unwrap();
    client.batch_execute("UPDATE operations SET created_at = now() - interval '1 hour'").await.unwrap();
    let (report, _) = stage.live().await;
    let counts = json!({
        "provisioning": 1, "active": 1, "suspended": 0, "failed": 0, "deleting": 0, "deleted": 0, "total": 2,
    });
    assert_eq!(report.json["tenants"], counts);
    let oldest = report.json["infrastructure"]["sqs"]["oldest_age_seconds"].as_f64().unwrap();
    assert!((3600.0..3700.0).contains(&oldest), "{oldest}");
}
