//! `GET /clusters`, `GET /settings`, and the entity tags of what clients poll.

use std::time::Duration;

use reqwest::{Method, StatusCode, header::IF_NONE_MATCH};
use serde_json::{Value, json};
use shared::{
    clusters::{self, ClusterLists},
    config::{Cluster, Clusters, SETTINGS},
    types::SuperAdminRole,
};
use tests::{
    Answer, Api, World,
    api::{Parts, answer},
    optional_variable, tokens,
};

fn list(clusters: &[(&str, i64, bool)]) -> Clusters {
    let cluster = |&(name, max_tenants, open): &(&str, i64, bool)| Cluster {
        name: name.to_owned(),
        url: "postgres://landlord:a-secret@db.internal/".into(),
        max_tenants,
        open,
        variable: "",
    };
    Clusters(clusters.iter().map(cluster).collect())
}

/// Kind, name, tenants, cap, whether open and whether configured, of each cluster.
async fn listed(api: &Api) -> Vec<Value> {
    let answer = api.get("/clusters").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert!(!answer.text.contains("secret") && !answer.text.contains("internal"), "{}", answer.text);
    let summary = |one: &Value| {
        json!([one["kind"], one["name"], one["tenants"], one["max_tenants"], one["open"], one["is_configured"]])
    };
    answer.json.as_array().unwrap().iter().map(summary).collect()
}

#[tokio::test]
async fn clusters_are_those_of_the_function_that_places_tenants_as_soon_as_it_has_recorded_them() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    assert_eq!(listed(&api).await, [json!(null); 0]);
    let observer =
        ClusterLists { postgres: list(&[("a", 10, true), ("b", 20, false)]), mongo: list(&[("m", 5, true)]) };
    let platform = world.api_pool();
    clusters::record(&platform, &observer, false).await.unwrap();
    let row =
        |kind: &str, name: &str, tenants: i64, cap: i64, open: bool| json!([kind, name, tenants, cap, open, true]);
    let expected =
        [row("postgresql", "a", 0, 10, true), row("postgresql", "b", 0, 20, false), row("mongodb", "m", 0, 5, true)];
    assert_eq!(listed(&api).await, expected);
    // With the login of the workers.
    let provisioner = shared::clients::postgres::Postgres::connect(&world.provisioner()).unwrap();
    let placing = ClusterLists { postgres: list(&[("a", 11, false), ("c", 30, true)]), mongo: list(&[("m", 6, true)]) };
    let expected =
        [row("postgresql", "a", 0, 11, false), row("postgresql", "c", 0, 30, true), row("mongodb", "m", 0, 6, true)];
    clusters::record(&provisioner, &placing, true).await.unwrap();
    assert_eq!(listed(&api).await, expected);
    // The list of others counts no more, and an equal one writes nothing.
    let owner = world.client().await;
    let versions = async || -> Vec<String> {
        let rows = owner.query("SELECT xmin::text FROM clusters ORDER BY store, name", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    let written = versions().await;
    for (lists, is_placing) in [(&observer, false), (&placing, true)] {
        clusters::record(&platform, lists, is_placing).await.unwrap();
        assert_eq!((listed(&api).await, versions().await), (expected.to_vec(), written.clone()));
    }
}

#[tokio::test]
async fn a_cluster_shows_its_tenants_and_its_breakers_even_if_it_is_not_configured_any_more() {
    let world = World::new().await;
    world.leaves_contradictions("tenants are placed as no operation does");
    let api = Api::of(&world).await;
    let lists = ClusterLists { postgres: list(&[("a", 10, true)]), mongo: list(&[("m", 5, true), ("n", 5, true)]) };
    clusters::record(&world.api_pool(), &lists, true).await.unwrap();
    world
        .client()
        .await
        .batch_execute(
            "INSERT INTO tenants (id, name, slug, status, database_name, country, postgres_cluster, mongo_cluster, created_at, updated_at)
             SELECT gen_random_uuid(), 'T', 't-' || n, 'active', 'tenant_' || n, 'ID', CASE WHEN n < 3 THEN 'gone' ELSE 'a' END,
                    CASE WHEN n < 6 THEN 'm' END, now(), now()
             FROM generate_series(1, 7) AS n;
             INSERT INTO store_breakers (purpose, store, cluster, faults, subject_id, open_until) VALUES
                 ('operations', 'mongodb', 'm', 4, gen_random_uuid(), now() + interval '20 s'),
                 ('measuring', 'mongodb', 'm', 3, gen_random_uuid(), now() - interval '1 s'),
                 ('operations', 'mongodb', 'n', 2, gen_random_uuid(), NULL),
                 ('operations', 'postgresql', 'm', 9, gen_random_uuid(), now() + interval '20 s')",
        )
        .await
        .unwrap();
    let expected = [
        json!(["postgresql", "a", 5, 10, true, true]),
        json!(["postgresql", "gone", 2, null, false, false]),
        json!(["mongodb", "m", 5, 5, true, true]),
        json!(["mongodb", "n", 0, 5, true, true]),
    ];
    assert_eq!(listed(&api).await, expected);
    let clusters = api.get("/clusters").await.json;
    let breakers = |position: usize| {
        ["operations", "measuring"].map(|purpose| {
            let breaker = &clusters[position][purpose];
            json!([breaker["state"], breaker["faults"], breaker["open_until"].is_null()])
        })
    };
    assert_eq!(breakers(0), [json!(["closed", 0, true]), json!(["closed", 0, true])]);
    assert_eq!(breakers(2), [json!(["open", 4, false]), json!(["half_open", 3, true])]);
    assert_eq!(breakers(3), [json!(["closed", 2, true]), json!(["closed", 0, true])]);
    assert!(clusters[1]["recorded_at"].is_null() && clusters[0]["recorded_at"].is_string());
    assert_eq!(answer(api.anonymous(Method::GET, "/clusters")).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn settings_are_shown_with_their_defaults_and_the_versions_that_run() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    world.leaves_contradictions("tenants have versions that never existed");
    world
        .client()
        .await
        .batch_execute(
            "INSERT INTO tenants (id, name, slug, status, database_name, country, schema_version, created_at, updated_at)
             SELECT gen_random_uuid(), 'T', 't-' || n, CASE WHEN n = 1 THEN 'failed' ELSE 'active' END, 'tenant_' || n, 'ID',
                    CASE WHEN n < 4 THEN 7 ELSE 6 END, now(), now()
             FROM generate_series(1, 7) AS n",
        )
        .await
        .unwrap();
    let viewer = tokens::sign(&tokens::claims(&world.operator(SuperAdminRole::Viewer).await.to_string()));
    let shown = answer(api.anonymous(Method::GET, "/settings").bearer_auth(viewer)).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    let release = &shown.json["release"];
    assert_eq!(release["version"], env!("CARGO_PKG_VERSION"));
    if let Some(commit) = release["commit"].as_str() {
        assert!(commit.len() >= 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit()), "{commit}");
    }
    let schemas = &shown.json["schemas"];
    assert_eq!(schemas["tenants"], shared::tenants::TENANT_SCHEMA_VERSION);
    let version =
        world.client().await.query_one("SELECT max(version) FROM refinery_schema_history", &[]).await.unwrap();
    assert_eq!(schemas["platform"], version.get::<_, i32>(0));
    let by_version = json!([{"schema_version": 7, "tenants": 2}, {"schema_version": 6, "tenants": 4}]);
    assert_eq!(schemas["tenants_by_version"], by_version);
    let settings = shown.json["settings"].as_array().unwrap();
    assert_eq!(settings.len(), SETTINGS.len());
    for (shown, setting) in settings.iter().zip(SETTINGS) {
        assert_eq!(shown["name"], setting.name);
        let configured = optional_variable(setting.name);
        assert_eq!(shown["value"].as_str(), configured.as_deref().or(setting.default), "{}", setting.name);
        assert_eq!(shown["is_changed"], shown["value"] != shown["default"], "{}", setting.name);
    }
    // None of the secrets and addresses of this stack.
    for (name, value) in std::env::vars() {
        let is_hidden = ["PASSWORD", "SECRET", "_KEY", "_URL", "BROKERS"].iter().any(|part| name.contains(part));
        assert!(!(is_hidden && value.len() > 9 && shown.text.contains(&value)), "{name}");
    }
}

async fn again(api: &Api, path: &str, tag: &str) -> Answer {
    answer(api.request(Method::GET, path).header(IF_NONE_MATCH, tag)).await
}

#[tokio::test]
async fn a_page_of_impersonations_is_sent_again_only_if_it_has_changed() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    tests::examples::furnish(&world).await;
    let path = "/impersonations?live=true&limit=5";
    let first = api.get(path).await;
    assert_eq!((first.status, first.json.as_array().unwrap().len()), (StatusCode::OK, 1), "{}", first.text);
    let tag = first.header("etag").to_owned();
    let unchanged = again(&api, path, &tag).await;
    assert_eq!((unchanged.status, unchanged.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(unchanged.header("etag"), tag);
    let gzip = api.request(Method::GET, path).header("accept-encoding", "gzip").header(IF_NONE_MATCH, &tag);
    assert_eq!(answer(gzip).await.status, StatusCode::NOT_MODIFIED);
    // Another page has another tag, and so has the same one after a change.
    assert_eq!(again(&api, "/impersonations?live=false", &tag).await.status, StatusCode::OK);
    world
        .client()
        .await
        .batch_execute("UPDATE impersonations SET ended_at = now(), ended_by = 'x', end_reason = 'ended'")
        .await
        .unwrap();
    let changed = again(&api, path, &tag).await;
    assert_eq!((changed.status, &changed.json), (StatusCode::OK, &json!([])));
    assert_ne!(changed.header("etag"), tag);
    // The tag gives no right to learn that nothing has changed.
    let anonymous = api.anonymous(Method::GET, path).header(IF_NONE_MATCH, changed.header("etag"));
    assert_eq!(answer(anonymous).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_report_on_health_is_sent_once_to_a_client_that_polls_and_always_if_the_platform_is_down() {
    let world = World::new().await;
    let mut parts = Parts::of(&world);
    parts.health.health.probe_timeout = Duration::from_millis(1500);
    let api = Api::with(&parts).await;
    let first = api.get("/health").await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    let tag = first.header("etag").to_owned();
    let unchanged = again(&api, "/health", &tag).await;
    assert_eq!((unchanged.status, unchanged.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    let live = again(&api, "/health?live=true", &tag).await;
    assert_eq!(live.status, StatusCode::OK);
    assert_ne!(live.header("etag"), tag);
    // A caller without a token sees one word, whose tag is another one and stays as long as the word.
    let brief = answer(api.anonymous(Method::GET, "/health")).await;
    assert_ne!(brief.header("etag"), live.header("etag"));
    let same = answer(api.anonymous(Method::GET, "/health").header(IF_NONE_MATCH, brief.header("etag"))).await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    parts.health.queues.provision = Some(format!("{}-gone", world.provision_queue_url));
    parts.health.redis_prefix = format!("{}-down:", world.database);
    let down = Api::with(&parts).await;
    for tag in [&tag, "*"] {
        let report = again(&down, "/health", tag).await;
        assert_eq!((report.status, &report.json["status"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("unhealthy")));
    }
}
