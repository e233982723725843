//! Each store cut off, and hanging: the report is in time, and right about all of them.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::{config::Cluster, health::Component};
use tests::{Answer, api::answer, proxy::Mode, queues};

use crate::stage::{LIMIT, MARGIN, STORES, Stage};

/// What must be true of a report while some stores are down.
fn assert_tells(what: &str, answer: &Answer, took: Duration, down: &[Component]) {
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
    for inside in ["127.0.0.1", "landlord", "SELECT", "rs0"] {
        assert!(!answer.text.contains(inside), "{what}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_cut_off_or_hangs_is_told_in_time_and_the_rest_is_right() {
    let stage = Stage::new().await;
    stage.assert_healthy().await;
    for store in STORES {
        for mode in [Mode::Cut, Mode::Hang] {
            let what = format!("{store} {mode:?}");
            stage.set(store, mode);
            let (told, took) = stage.live().await;
            assert_tells(&what, &told, took, &[store]);
            // Asked again, with nothing kept from before.
            let (told, took) = stage.live().await;
            assert_tells(&what, &told, took, &[store]);
            println!("{what}: {} ms", took.as_millis());
            stage.set(store, Mode::Pass);
            stage.assert_healthy().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_and_all_of_them_at_once_take_no_longer_than_one() {
    let stage = Stage::new().await;
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
        let (told, took) = stage.live().await;
        assert_tells(&format!("{pair:?}"), &told, took, &pair.map(|(store, _)| store));
        stage.set_all(Mode::Pass);
        stage.assert_healthy().await;
    }
    stage.set_all(Mode::Hang);
    let (told, took) = stage.live().await;
    assert_tells("all", &told, took, &STORES);
    let anonymous = answer(stage.api.anonymous(Method::GET, "/health")).await;
    assert_eq!((anonymous.status, anonymous.json), (StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "unhealthy" })));
    stage.set_all(Mode::Pass);
    stage.assert_healthy().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_never_reached_is_told_in_time_too() {
    let stage = Stage::new().await;
    stage.set_all(Mode::Hang);
    let (told, took) = stage.live().await;
    assert_tells("all, from the start", &told, took, &STORES);
    stage.set_all(Mode::Pass);
    stage.assert_healthy().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_missing_degrades() {
    let stage = Stage::with(|sources| "there-is-no-such-topic".clone_into(&mut sources.kafka.topic)).await;
    let (told, _) = stage.live().await;
    let kafka = &told.json["infrastructure"]["kafka"];
    assert_eq!((told.status, &told.json["status"]), (StatusCode::OK, &json!("degraded")), "{}", told.text);
    assert_eq!(
        (&kafka["status"], &kafka["error"], &kafka["partitions"]),
        (&json!("degraded"), &json!("the topic does not exist"), &json!(0)),
        "{kafka}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_or_a_queue_that_is_missing_is_down() {
    let stage = Stage::with(|sources| {
        "there-is-no-such-bucket".clone_into(&mut sources.s3.bucket);
        sources.queues.relay = sources.queues.relay.as_ref().map(|url| format!("{url}-gone"));
    })
    .await;
    let (told, _) = stage.live().await;
    assert_eq!(told.status, StatusCode::SERVICE_UNAVAILABLE, "{}", told.text);
    assert_eq!(told.json["infrastructure"]["minio"]["error"], "the bucket does not exist");
    let error = told.json["infrastructure"]["sqs"]["error"].as_str().unwrap();
    assert!(error.starts_with("the queue ") && error.ends_with("-gone does not exist"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_refused_are_told_without_a_word_of_them() {
    let wrong = |url: &SecretString| {
        let (scheme, rest) = url.expose_secret().split_once("://").unwrap();
        let (_, rest) = rest.split_once('@').unwrap();
        SecretString::from(format!("{scheme}://default:not-the-password@{rest}"))
    };
    let stage = Stage::with(|sources| {
        sources.postgres.url = wrong(&sources.postgres.url);
        sources.postgres_clusters.0[0].url = sources.postgres.url.clone();
        sources.redis.url = wrong(&sources.redis.url);
        sources.mongo_clusters.0[0].url = wrong(&sources.mongo_clusters.0[0].url);
    })
    .await;
    let (told, _) = stage.live().await;
    for store in [Component::PostgreSql, Component::MongoDb, Component::Redis] {
        let reading = &told.json["infrastructure"][store.as_str()];
        assert_eq!(reading["error"], "it refuses the credentials", "{store}: {reading}");
    }
    assert!(!told.text.contains("not-the-password") && !told.text.contains("default"), "{}", told.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_degrade_and_what_waits_is_counted() {
    let (client, id) = (queues::client().await, uuid::Uuid::now_v7().simple());
    let dead = queues::create(&format!("test_{id}"), "dead").await;
    let arn = QueueAttributeName::QueueArn;
    let told = client.get_queue_attributes().queue_url(&dead).attribute_names(arn.clone()).send().await.unwrap();
    let arn = told.attributes.unwrap()[&arn].clone();
    let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": 3 }).to_string();
    let name = format!("test_{id}-with-dead-letters");
    let created = client.create_queue().queue_name(&name).attributes(QueueAttributeName::RedrivePolicy, policy);
    let url = created.send().await.unwrap().queue_url.unwrap();
    let stage = Stage::with(|sources| sources.queues.provision = Some(url.clone())).await;
    let queue = async || {
        let (told, _) = stage.live().await;
        let sqs = told.json["infrastructure"]["sqs"].clone();
        (
            told.status,
            told.json["status"].clone(),
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
async fn one_cluster_of_several_that_is_down_degrades_and_all_of_them_are_down() {
    let nowhere = |scheme: &str| Cluster {
        name: "second".to_owned(),
        url: SecretString::from(format!("{scheme}://someone:secret@127.0.0.1:9/x?connectTimeoutMS=200")),
        max_tenants: 1,
        open: true,
    };
    let stage = Stage::with(|sources| {
        let mut postgres = nowhere("postgres");
        postgres.url = SecretString::from("postgres://someone:secret@127.0.0.1:9/x");
        sources.postgres_clusters.0.push(postgres);
        sources.mongo_clusters.0.push(nowhere("mongodb"));
    })
    .await;
    let (told, took) = stage.live().await;
    assert_eq!((told.status, &told.json["status"]), (StatusCode::OK, &json!("degraded")), "{}", told.text);
    assert!(took < LIMIT + MARGIN, "{took:?}");
    for store in ["postgresql", "mongodb"] {
        let reading = &told.json["infrastructure"][store];
        assert_eq!(reading["status"], "degraded", "{reading}");
        assert_eq!(reading["error"], "1 of 2 clusters down");
        assert_eq!(
            (&reading["clusters"]["main"]["status"], &reading["clusters"]["second"]["status"]),
            (&json!("up"), &json!("down")),
            "{reading}"
        );
    }
    stage.set(Component::MongoDb, Mode::Cut);
    let (told, _) = stage.live().await;
    let mongodb = &told.json["infrastructure"]["mongodb"];
    assert_eq!((told.status, &mongodb["status"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("down")), "{mongodb}");
    assert_eq!(mongodb["primary"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_are_counted_by_status_and_the_oldest_that_waits_is_told() {
    let stage = Stage::new().await;
    let id = stage.api.create_tenant("kopi-kenangan").await["id"].as_str().unwrap().to_owned();
    stage.api.create_tenant("warung").await;
    let client = stage.world.client().await;
    client.batch_execute(&format!("UPDATE tenants SET status = 'active' WHERE id = '{id}'")).await.unwrap();
    client.batch_execute("UPDATE operations SET created_at = now() - interval '1 hour'").await.unwrap();
    let (told, _) = stage.live().await;
    let counts = json!({
        "provisioning": 1, "active": 1, "suspended": 0, "failed": 0, "deleting": 0, "deleted": 0, "total": 2,
    });
    assert_eq!(told.json["tenants"], counts);
    let oldest = told.json["infrastructure"]["sqs"]["oldest_age_seconds"].as_f64().unwrap();
    assert!((3600.0..3700.0).contains(&oldest), "{oldest}");
}
