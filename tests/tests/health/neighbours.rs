//! What is not ours: the platform's services by their health URLs, and the providers behind the channels.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::{
    health::Component,
    types::{Channel, Service},
};
use tests::{proxy::Mode, variable};
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::stage::{LIMIT, MARGIN, Stage};

/// A server that answers every request with these bytes after a while, and then says no more. Counts what it sent.
async fn server(answer: Vec<u8>, after: Duration) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/health", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicUsize::new(0));
    let (answer, counter) = (Arc::new(answer), Arc::clone(&sent));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (answer, counter) = (Arc::clone(&answer), Arc::clone(&counter));
            tokio::spawn(async move {
                let _asked = stream.read(&mut [0; 4096]).await;
                tokio::time::sleep(after).await;
                for part in answer.chunks(16 * 1024) {
                    if stream.write_all(part).await.is_err() {
                        return;
                    }
                    counter.fetch_add(part.len(), Ordering::SeqCst);
                }
                // Kept open, so that only a length ends the answer.
                tokio::time::sleep(Duration::from_secs(30)).await;
            });
        }
    });
    (url, sent)
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn at_once(answer: Vec<u8>) -> String {
    server(answer, Duration::ZERO).await.0
}

/// Where nobody listens.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/health", listener.local_addr().unwrap())
}

/// What is reported of services with these URLs: in the order of [`Service::ALL`].
async fn services(urls: &[&str]) -> Vec<Value> {
    let stage = Stage::with(|sources| {
        let urls = urls.iter().map(|url| (*url).to_owned());
        sources.health.services = Service::ALL.into_iter().zip(urls).collect();
    })
    .await;
    let (told, took) = stage.live().await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.text);
    assert!(took < LIMIT + MARGIN, "{took:?}");
    let readings: Vec<_> = Service::ALL.iter().map(|service| told.json["services"][service.as_str()].clone()).collect();
    let well = readings.iter().all(|reading| reading["status"] != "down");
    assert_eq!(told.json["status"], if well { "healthy" } else { "degraded" }, "{readings:?}");
    readings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_up_that_answers_2xx_whatever_it_says() {
    let plain = at_once(http("200 OK", "", "fine")).await;
    let empty = at_once(http("204 No Content", "", "")).await;
    let told = at_once(http("200 OK", "content-type: application/json\r\n", r#"{"version": "2.4.1", "x": 1}"#)).await;
    let (late, _) = server(http("200 OK", "", r#"{"version": "<script>"}"#), LIMIT / 3).await;
    let readings = services(&[&plain, &empty, &told, &late]).await;
    for reading in &readings {
        assert_eq!((&reading["status"], &reading["error"]), (&json!("up"), &Value::Null), "{reading}");
    }
    let versions: Vec<_> = readings.iter().map(|reading| &reading["version"]).collect();
    assert_eq!(versions, [&Value::Null, &Value::Null, &json!("2.4.1"), &Value::Null]);
    assert!(readings[3]["latency_ms"].as_f64().unwrap() >= 500.0, "{}", readings[3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_answer_of_ten_megabytes_little_is_read() {
    let (url, sent) = server(http("200 OK", "", &"x".repeat(10_000_000)), Duration::ZERO).await;
    let readings = services(&[&url]).await;
    assert_eq!(readings[0]["status"], "up", "{}", readings[0]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    // What was not read fills the buffers of the two sockets.
    assert!(sent.load(Ordering::SeqCst) < 8_000_000, "{sent:?}");
    assert_eq!(readings[1], json!({ "status": "not_configured", "latency_ms": null }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_another_protocol_is_not_understood() {
    let (target, reached) = server(http("200 OK", "", "fine"), Duration::ZERO).await;
    let moved = at_once(http("302 Found", &format!("location: {target}\r\n"), "")).await;
    let ssh = at_once(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()).await;
    let garbage = at_once(vec![0xff; 5000]).await;
    let broken = at_once(http("500 Internal Server Error", "", "secret words")).await;
    let readings = services(&[&moved, &ssh, &garbage, &broken]).await;
    assert_eq!(reached.load(Ordering::SeqCst), 0, "it was followed");
    let told: Vec<_> = readings.iter().map(|reading| reading["error"].as_str().unwrap()).collect();
    assert_eq!(
        told,
        [
            "it answers 302, a redirection, which is not followed",
            "its answer is not HTTP",
            "its answer is not HTTP",
            "it answers 500",
        ]
    );
    assert!(readings.iter().all(|reading| reading["status"] == "down"));
    assert!(readings[3]["latency_ms"].is_f64() && readings[1]["latency_ms"].is_null(), "{readings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_down_or_late_or_stops_in_the_middle_holds_nothing_up() {
    let (silent, _) = server(http("200 OK", "", "fine"), Duration::from_mins(1)).await;
    let half = at_once(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec()).await;
    let readings = services(&[&nowhere().await, &silent, &half, "http://there-is-no-such-host.invalid/"]).await;
    let told: Vec<_> = readings.iter().map(|reading| reading["error"].as_str().unwrap()).collect();
    let late = format!("no answer within {} ms", LIMIT.as_millis());
    assert_eq!(told[0], "it cannot be reached");
    // Whichever is over first: the client's time, or the probe's.
    assert!([late.as_str(), "no answer in time"].contains(&told[1]), "{told:?}");
    assert!([late.as_str(), "no answer in time"].contains(&told[2]), "{told:?}");
    assert_eq!(told[3], "it cannot be reached");
    assert!(readings.iter().all(|reading| reading["status"] == "down" && reading["latency_ms"].is_null()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_what_its_status_url_says() {
    let page = async |indicator: &str| {
        at_once(http("200 OK", "", &json!({"page": {}, "status": {"indicator": indicator}}).to_string())).await
    };
    let integrations = async |urls: [String; 4]| {
        let stage =
            Stage::with(|sources| sources.health.providers = Channel::ALL.into_iter().zip(urls).collect()).await;
        let (told, _) = stage.live().await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.text);
        let all: Vec<_> = Channel::ALL
            .iter()
            .map(|channel| told.json["integrations"][channel.as_str()]["status"].as_str().unwrap().to_owned())
            .collect();
        (told.json["status"].as_str().unwrap().to_owned(), all)
    };
    let good = [page("none").await, at_once(http("200 OK", "", "OK")).await];
    let [none, bare] = good.clone();
    assert_eq!(
        integrations([none, bare, page("minor").await, page("critical").await]).await,
        ("degraded".to_owned(), ["operational", "operational", "degraded", "down"].map(String::from).to_vec())
    );
    let [none, bare] = good;
    let error = at_once(http("503 Service Unavailable", "", "")).await;
    assert_eq!(
        integrations([none.clone(), nowhere().await, error, page("major").await]).await.1,
        ["operational", "down", "down", "degraded"]
    );
    assert_eq!(integrations([none.clone(), bare.clone(), none, bare]).await.0, "healthy");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_status_url_the_ingestor_tells_and_nothing_is_made_up() {
    let stage = Stage::new().await;
    for (slug, channels, status) in [
        ("one", "{whatsapp,email}", "active"),
        ("two", "{whatsapp,instagram}", "active"),
        ("three", "{whatsapp}", "suspended"),
    ] {
        let id = stage.api.create_tenant(slug).await["id"].as_str().unwrap().to_owned();
        stage
            .world
            .client()
            .await
            .batch_execute(&format!(
                "UPDATE tenants SET status = '{status}' WHERE id = '{id}';
                 UPDATE tenant_usage SET channels = '{channels}' WHERE tenant_id = '{id}'"
            ))
            .await
            .unwrap();
    }
    let redis = redis::Client::open(variable("REDIS_URL")).unwrap();
    let mut redis = redis.get_multiplexed_async_connection().await.unwrap();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    for (channel, at) in [("whatsapp", now - 60), ("instagram", now - 3600), ("messenger", now - 3600)] {
        let key = format!("{}integration:{channel}:last_success_at", stage.sources.redis_prefix);
        redis::cmd("SET").arg(key).arg(at).arg("EX").arg(600).query_async::<()>(&mut redis).await.unwrap();
    }
    let (told, _) = stage.live().await;
    assert_eq!((told.status, &told.json["status"]), (StatusCode::OK, &json!("degraded")), "{}", told.text);
    let of = |channel: &str| told.json["integrations"][channel].clone();
    assert_eq!((&of("whatsapp")["status"], &of("whatsapp")["tenants"]), (&json!("operational"), &json!(2)));
    assert!(of("whatsapp")["last_success_at"].as_str().unwrap().ends_with('Z'), "{}", of("whatsapp"));
    assert_eq!(
        (&of("instagram")["status"], &of("instagram")["tenants"], &of("instagram")["reason"]),
        (&json!("degraded"), &json!(1), &json!("the ingestor had no success for 15 minutes"))
    );
    // Where nobody uses it there is nothing to succeed with.
    assert_eq!((&of("messenger")["status"], &of("messenger")["tenants"]), (&json!("not_configured"), &json!(0)));
    // Used, and nothing told of it.
    assert_eq!((&of("email")["status"], &of("email")["tenants"]), (&json!("not_configured"), &json!(1)));
    assert_eq!(of("email")["reason"], "it has no status URL, and the ingestor has told of no success");

    // What is not known is said to be unknown.
    stage.set(Component::PostgreSql, Mode::Hang);
    let (told, _) = stage.live().await;
    assert_eq!(told.json["integrations"]["whatsapp"]["status"], "operational");
    assert_eq!(told.json["integrations"]["whatsapp"]["tenants"], Value::Null);
    stage.set(Component::PostgreSql, Mode::Pass);
    stage.set(Component::Redis, Mode::Cut);
    let (told, _) = stage.live().await;
    let whatsapp = &told.json["integrations"]["whatsapp"];
    assert_eq!((&whatsapp["status"], &whatsapp["tenants"]), (&json!("not_configured"), &json!(2)));
    assert!(whatsapp["reason"].as_str().unwrap().contains("cannot be read"), "{whatsapp}");
}
