//! Services and providers: the platform's microservices by their health URLs, and the channels' providers.

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
    types::{Channel, Microservice},
};
use tests::proxy::Mode;
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::stage::{HealthStage, LIMIT, MARGIN};

/// A server that sends these bytes in response to every request, `after` a delay, and then stays silent. Counts the sent bytes.
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
                // Keeps the connection open, so that only the content length ends the response.
                tokio::time::sleep(Duration::from_secs(30)).await;
            });
        }
    });
    (url, sent)
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn respond(answer: Vec<u8>) -> String {
    server(answer, Duration::ZERO).await.0
}

/// A URL without a listening server.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/health", listener.local_addr().unwrap())
}

/// The readings of services with these URLs, in the order of [`Microservice::ALL`].
async fn services(urls: &[&str]) -> Vec<Value> {
    let stage = HealthStage::with(|targets| {
        let urls = urls.iter().map(|url| (*url).to_owned());
        targets.health.services = Microservice::ALL.into_iter().zip(urls).collect();
    })
    .await;
    let (report, took) = stage.live().await;
    assert_eq!(report.status, StatusCode::OK, "{}", report.text);
    assert!(took < LIMIT + MARGIN, "{took:?}");
    let readings: Vec<_> =
        Microservice::ALL.iter().map(|service| report.json["services"][service.as_str()].clone()).collect();
    let all_up = readings.iter().all(|reading| reading["status"] != "down");
    assert_eq!(report.json["status"], if all_up { "healthy" } else { "degraded" }, "{readings:?}");
    readings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_responds_with_2xx_is_up_whatever_the_body() {
    let plain = respond(http("200 OK", "", "fine")).await;
    let empty = respond(http("204 No Content", "", "")).await;
    let versioned =
        respond(http("200 OK", "content-type: application/json\r\n", r#"{"version": "2.4.1", "x": 1}"#)).await;
    let (late, _) = server(http("200 OK", "", r#"{"version": "<script>"}"#), LIMIT / 3).await;
    let readings = services(&[&plain, &empty, &versioned, &late]).await;
    for reading in &readings {
        assert_eq!((&reading["status"], &reading["error"]), (&json!("up"), &Value::Null), "{reading}");
    }
    let versions: Vec<_> = readings.iter().map(|reading| &reading["version"]).collect();
    assert_eq!(versions, [&Value::Null, &Value::Null, &json!("2.4.1"), &Value::Null]);
    assert!(readings[3]["latency_ms"].as_f64().unwrap() >= 500.0, "{}", readings[3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_beginning_of_a_ten_megabyte_response_is_read() {
    let (url, sent) = server(http("200 OK", "", &"x".repeat(10_000_000)), Duration::ZERO).await;
    let readings = services(&[&url]).await;
    assert_eq!(readings[0]["status"], "up", "{}", readings[0]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    // The unread bytes fill the buffers of the two sockets.
    assert!(sent.load(Ordering::SeqCst) < 8_000_000, "{sent:?}");
    assert_eq!(readings[1], json!({ "status": "not_configured", "latency_ms": null }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_another_protocol_is_an_error() {
    let (target, reached) = server(http("200 OK", "", "fine"), Duration::ZERO).await;
    let moved = respond(http("302 Found", &format!("location: {target}\r\n"), "")).await;
    let ssh = respond(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()).await;
    let garbage = respond(vec![0xff; 5000]).await;
    let broken = respond(http("500 Internal Server Error", "", "secret words")).await;
    let readings = services(&[&moved, &ssh, &garbage, &broken]).await;
    assert_eq!(reached.load(Ordering::SeqCst), 0, "the redirect was followed");
    let errors: Vec<_> = readings.iter().map(|reading| reading["error"].as_str().unwrap()).collect();
    assert_eq!(
        errors,
        [
            "responded with status 302, a redirect, which is not followed",
            "invalid HTTP response",
            "invalid HTTP response",
            "responded with status 500",
        ]
    );
    assert!(readings.iter().all(|reading| reading["status"] == "down"));
    assert!(readings[3]["latency_ms"].is_f64() && readings[1]["latency_ms"].is_null(), "{readings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_down_or_slow_or_stops_midway_delays_nothing() {
    let (silent, _) = server(http("200 OK", "", "fine"), Duration::from_mins(1)).await;
    let half = respond(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec()).await;
    let readings = services(&[&nowhere().await, &silent, &half, "http://there-is-no-such-host.invalid/"]).await;
    let errors: Vec<_> = readings.iter().map(|reading| reading["error"].as_str().unwrap()).collect();
    let late = format!("no response within {} ms", LIMIT.as_millis());
    assert_eq!(errors[0], "unreachable");
    // Either the client's timeout or the probe's deadline ends it.
    assert!([late.as_str(), "no response in time"].contains(&errors[1]), "{errors:?}");
    assert!([late.as_str(), "no response in time"].contains(&errors[2]), "{errors:?}");
    assert_eq!(errors[3], "unreachable");
    assert!(readings.iter().all(|reading| reading["status"] == "down" && reading["latency_ms"].is_null()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_has_the_status_of_its_status_url() {
    let page = async |indicator: &str| {
        respond(http("200 OK", "", &json!({"page": {}, "status": {"indicator": indicator}}).to_string())).await
    };
    let integrations = async |urls: [String; 4]| {
        let stage =
            HealthStage::with(|targets| targets.health.providers = Channel::ALL.into_iter().zip(urls).collect()).await;
        let (report, _) = stage.live().await;
        assert_eq!(report.status, StatusCode::OK, "{}", report.text);
        let all: Vec<_> = Channel::ALL
            .iter()
            .map(|channel| report.json["integrations"][channel.as_str()]["status"].as_str().unwrap().to_owned())
            .collect();
        (report.json["status"].as_str().unwrap().to_owned(), all)
    };
    let good = [page("none").await, respond(http("200 OK", "", "OK")).await];
    let [none, bare] = good.clone();
    assert_eq!(
        integrations([none, bare, page("minor").await, page("critical").await]).await,
        ("degraded".to_owned(), ["operational", "operational", "degraded", "down"].map(String::from).to_vec())
    );
    let [none, bare] = good;
    let error = respond(http("503 Service Unavailable", "", "")).await;
    assert_eq!(
        integrations([none.clone(), nowhere().await, error, page("major").await]).await.1,
        ["operational", "down", "down", "degraded"]
    );
    assert_eq!(integrations([none.clone(), bare.clone(), none, bare]).await.0, "healthy");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_status_url_the_status_follows_from_the_ingestors_last_success() {
    let stage = HealthStage::new().await;
    for (slug, channels, status) in [
        ("one", "{whatsapp,email}", "active"),
        ("two", "{whatsapp,instagram}", "active"),
        ("three", "{whatsapp}", "suspended"),
    ] {
        let id = stage.api.create_tenant(slug).await["id"].as_str().unwrap().to_owned();
        stage.world.leaves_contradictions("the tenants have no databases");
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
    let redis = tests::redis_client();
    let mut redis = redis.get_multiplexed_async_connection().await.unwrap();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    for (channel, at) in [("whatsapp", now - 60), ("instagram", now - 3600), ("messenger", now - 3600)] {
        let key = format!("{}integration:{channel}:last_success_at", stage.targets.redis_prefix);
        redis::cmd("SET").arg(key).arg(at).arg("EX").arg(600).query_async::<()>(&mut redis).await.unwrap();
    }
    let (report, _) = stage.live().await;
    assert_eq!((report.status, &report.json["status"]), (StatusCode::OK, &json!("degraded")), "{}", report.text);
    let of = |channel: &str| report.json["integrations"][channel].clone();
    assert_eq!((&of("whatsapp")["status"], &of("whatsapp")["tenants"]), (&json!("operational"), &json!(2)));
    assert!(of("whatsapp")["last_success_at"].as_str().unwrap().ends_with('Z'), "{}", of("whatsapp"));
    assert_eq!(
        (&of("instagram")["status"], &of("instagram")["tenants"], &of("instagram")["reason"]),
        (&json!("degraded"), &json!(1), &json!("the ingestor has had no success for 15 minutes"))
    );
    // No tenant uses it, so there is nothing that could succeed.
    assert_eq!((&of("messenger")["status"], &of("messenger")["tenants"]), (&json!("not_configured"), &json!(0)));
    // In use, but without a recorded success.
    assert_eq!((&of("email")["status"], &of("email")["tenants"]), (&json!("not_configured"), &json!(1)));
    assert_eq!(of("email")["reason"], "no status URL is configured, and the ingestor has recorded no success");

    // A fact that cannot be read is reported as unknown.
    stage.set(Component::PostgreSql, Mode::Hang);
    let (report, _) = stage.live().await;
    assert_eq!(report.json["integrations"]["whatsapp"]["status"], "operational");
    assert_eq!(report.json["integrations"]["whatsapp"]["tenants"], Value::Null);
    stage.set(Component::PostgreSql, Mode::Pass);
    stage.set(Component::Redis, Mode::Cut);
    let (report, _) = stage.live().await;
    let whatsapp = &report.json["integrations"]["whatsapp"];
    assert_eq!((&whatsapp["status"], &whatsapp["tenants"]), (&json!("not_configured"), &json!(2)));
    assert!(whatsapp["reason"].as_str().unwrap().contains("cannot be read"), "{whatsapp}");
}
