//! `GET /tenants`, `GET` and `PATCH /tenants/{id}`, `POST /tenants/{id}/retry`.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Api, World, api::answer, queues};

/// Ends all operations, and sets the status of all tenants.
async fn set_status(world: &World, status: &str) {
    world.leaves_contradictions("operations end here without their steps");
    world
        .client()
        .await
        .batch_execute(&format!(
            "UPDATE operations SET status = 'succeeded', finished_at = now() WHERE finished_at IS NULL;
             UPDATE tenants SET status = '{status}', revision = revision + 1"
        ))
        .await
        .unwrap();
}

async fn seed(world: &World, count: i32) {
    world.leaves_contradictions("the tenants have no databases");
    world
        .client()
        .await
        .execute(
            "INSERT INTO tenants (id, name, slug, status, database_name, country, created_at, updated_at)
             SELECT gen_random_uuid(), 'Tenant 100% ' || n, 'tenant-' || n, (ARRAY['active', 'suspended'])[1 + n % 2],
                    'tenant_' || n, (ARRAY['ID', 'US', 'DE'])[1 + n % 3], t, t
             FROM generate_series(1, $1) AS n, LATERAL (SELECT timestamptz '2026-01-01' + (n / 3) * interval '1 s') AS x (t)",
            &[&count],
        )
        .await
        .unwrap();
}

fn next(answer: &tests::Answer) -> Option<String> {
    let (url, relation) = answer.header("link").split_once('>')?;
    assert_eq!(relation, "; rel=\"next\"");
    Some(url.trim_start_matches('<').trim_start_matches("/api/super-admin").to_owned())
}

#[tokio::test]
async fn following_the_pages_returns_every_tenant_once_in_order() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    seed(&world, 100).await;
    let mut seen: Vec<Value> = Vec::new();
    let mut path = Some("/tenants?limit=7".to_owned());
    while let Some(at) = path {
        let page = api.get(&at).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        assert!(page.json.as_array().unwrap().len() <= 7);
        seen.extend(page.json.as_array().unwrap().iter().cloned());
        path = next(&page);
    }
    let order: Vec<_> = seen
        .iter()
        .map(|tenant| (tenant["created_at"].as_str().unwrap().to_owned(), tenant["id"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(order.len(), 100);
    assert!(order.is_sorted_by(|a, b| a > b));
}

#[tokio::test]
async fn a_list_can_be_filtered_by_status_country_and_literal_text() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    seed(&world, 30).await;
    let count = async |query: &str| {
        let page = api.get(&format!("/tenants?{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}: {}", page.text);
        page.json.as_array().unwrap().len()
    };
    assert_eq!(count("").await, 30);
    assert_eq!(count("status=active").await, 15);
    assert_eq!(count("country=ID").await, 10);
    assert_eq!(count("status=active&country=ID").await, 5);
    assert_eq!(count("search=TENANT-3").await, 2);
    assert_eq!(count("search=100%25").await, 30);
    assert_eq!(count("search=100_").await, 0);
    assert_eq!(count("search=%5C").await, 0);
    assert_eq!(count("search=%27%3B%20DROP%20TABLE%20x").await, 0);
    assert_eq!(count("status=active&search=tenant-1&limit=3").await, 3);
}

#[tokio::test]
async fn invalid_parameters_of_a_list_are_reported_by_name() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    seed(&world, 3).await;
    let operations_cursor = {
        let id = api.get("/tenants").await.json[0]["id"].as_str().unwrap().to_owned();
        for second in 1..3 {
            world.client().await.batch_execute(&format!(
                "INSERT INTO operations (id, tenant_id, database_name, kind, status, requested_by, created_at, updated_at,
                                         finished_at)
                 SELECT gen_random_uuid(), id, database_name, 'retry', 'failed', 'x', now() + interval '{second} s', now(),
                        now()
                 FROM tenants WHERE id = '{id}'"
            )).await.unwrap();
        }
        let page = api.get(&format!("/tenants/{id}/operations?limit=1")).await;
        next(&page).unwrap().split_once("cursor=").unwrap().1.to_owned()
    };
    let long = "x".repeat(200);
    for (query, name) in [
        ("limit=0".to_owned(), "limit"),
        ("limit=10001".to_owned(), "limit"),
        ("limit=-1".to_owned(), "limit"),
        ("limit=1&limit=2".to_owned(), "limit"),
        ("status=open".to_owned(), "status"),
        ("country=xx".to_owned(), "country"),
        ("cursor=nonsense".to_owned(), "cursor"),
        (format!("cursor={operations_cursor}"), "cursor"),
        ("sort=name".to_owned(), "sort"),
        (format!("search={long}"), "search"),
        ("search=%00".to_owned(), "search"),
    ] {
        let rejected = api.get(&format!("/tenants?{query}")).await;
        assert_eq!(rejected.status, StatusCode::BAD_REQUEST, "{query}: {}", rejected.text);
        assert_eq!(rejected.faults(), [name], "{query}");
    }
}

#[tokio::test]
async fn a_long_list_is_compressed_if_the_client_accepts_it() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    seed(&world, 500).await;
    let plain = api.get("/tenants").await;
    assert_eq!(plain.header("content-encoding"), "");
    let compressed = api.request(Method::GET, "/tenants").header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(compressed.headers()["content-encoding"], "gzip");
    assert!(compressed.bytes().await.unwrap().len() * 4 < plain.text.len());
}

#[tokio::test]
async fn an_unknown_id_is_not_found_and_an_invalid_id_is_a_bad_request() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let unknown = "0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee";
    for (method, path) in [
        (Method::GET, "/tenants/{id}"),
        (Method::PATCH, "/tenants/{id}"),
        (Method::GET, "/tenants/{id}/operations"),
        (Method::POST, "/tenants/{id}/retry"),
    ] {
        let send = async |id: &str| {
            let request = api.request(method.clone(), &path.replace("{id}", id));
            answer(if method == Method::PATCH { request.json(&json!({})) } else { request }).await
        };
        let missing = send(unknown).await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND, "{method} {path}: {}", missing.text);
        for invalid in
            ["42", "0190a0c48f6e7c3a9d2b5e1f00c0ffee", "%7B0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee%7D", "%FF", "..%2F"]
        {
            let rejected = send(invalid).await;
            assert_eq!(rejected.status, StatusCode::BAD_REQUEST, "{method} {path} {invalid}: {}", rejected.text);
            assert_eq!(rejected.faults(), ["id"]);
        }
    }
    let no_route = api.get("/nowhere").await;
    assert_eq!((no_route.status, no_route.header("content-type")), (StatusCode::NOT_FOUND, "application/problem+json"));
}

#[tokio::test]
async fn a_patch_changes_its_fields_and_writes_events_and_an_audit_entry() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let tenant = api.create_tenant("kopi-kenangan").await;
    let path = format!("/tenants/{}", tenant["id"].as_str().unwrap());
    set_status(&world, "active").await;
    let change = json!({"name": "Kopi", "limits": {"max_agents": null}, "status": "suspended"});
    let updated = api.patch(&path, &change).await;
    assert_eq!(updated.status, StatusCode::OK, "{}", updated.text);
    assert_eq!(updated.json["name"], "Kopi");
    assert_eq!(updated.json["status"], "suspended");
    assert_eq!(
        updated.json["limits"],
        json!({"max_agents": null, "max_contacts": 10_000, "max_messages_month": 50_000})
    );
    assert_eq!(updated.header("etag"), "\"3\"");
    assert_eq!(api.get(&path).await.json, updated.json);
    for kind in ["tenant.updated", "tenant.suspended"] {
        assert_eq!(world.count(&format!("SELECT FROM outbox WHERE payload->>'type' = '{kind}'")).await, 1, "{kind}");
    }
    let audited = world
        .count("SELECT FROM audit WHERE action = 'tenant.update' AND details @> '{\"before\": {\"name\": \"Kopi Kenangan\"}, \"after\": {\"name\": \"Kopi\"}}'")
        .await;
    assert_eq!(audited, 1);
    assert_eq!(queues::drain(&world.relay_queue_url).await.len(), 1);
    // A patch that changes nothing writes nothing.
    let same = api.patch(&path, &json!({"name": "Kopi"})).await;
    assert_eq!((same.status, same.header("etag")), (StatusCode::OK, "\"3\""));
    assert!(queues::drain(&world.relay_queue_url).await.is_empty());
}

#[tokio::test]
async fn a_status_can_only_be_set_between_active_and_suspended_and_the_error_names_the_allowed_status() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let tenant = api.create_tenant("kopi-kenangan").await;
    let path = format!("/tenants/{}", tenant["id"].as_str().unwrap());
    for (from, possible) in [("active", Some("suspended")), ("suspended", Some("active")), ("failed", None)] {
        set_status(&world, from).await;
        let allowed =
            possible.map_or("no status can be set".to_owned(), |status| format!("it can only be set to {status}"));
        for to in ["active", "suspended"] {
            let answer = api.patch(&path, &json!({"status": to})).await;
            if Some(to) == possible {
                assert_eq!(answer.status, StatusCode::OK, "{from} → {to}: {}", answer.text);
                set_status(&world, from).await;
            } else {
                assert_eq!(answer.status, StatusCode::CONFLICT, "{from} → {to}: {}", answer.text);
                let detail = format!("Cannot set the status to {to}: the tenant is {from}, and {allowed}");
                assert_eq!(answer.json["detail"], detail);
            }
        }
    }
    for ending in ["deleting", "deleted"] {
        set_status(&world, ending).await;
        let answer = api.patch(&path, &json!({"status": "active"})).await;
        assert_eq!(answer.json["type"], "/api/super-admin/problems/tenant-deletion-begun", "{}", answer.text);
    }
    for (invalid, pointer) in [
        (json!({"status": "open"}), "/status"),
        (json!({"status": "provisioning"}), "/status"),
        (json!({"status": "failed"}), "/status"),
        (json!({"status": "deleted"}), "/status"),
        (json!({"status": null}), "/status"),
        (json!({"name": null}), "/name"),
        (json!({"limits": null}), "/limits"),
        (json!({"slug": "other"}), "/slug"),
        (json!({"limits": {"max_agents": -5}}), "/limits/max_agents"),
    ] {
        let rejected = api.patch(&path, &invalid).await;
        assert_eq!(rejected.status, StatusCode::UNPROCESSABLE_ENTITY, "{invalid}: {}", rejected.text);
        assert_eq!(rejected.faults(), [pointer]);
    }
}

#[tokio::test]
async fn if_match_with_an_old_revision_fails() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let tenant = api.create_tenant("kopi-kenangan").await;
    let path = format!("/tenants/{}", tenant["id"].as_str().unwrap());
    set_status(&world, "active").await;
    let tag = api.get(&path).await.header("etag").to_owned();
    let send = async |name: &str| {
        answer(api.request(Method::PATCH, &path).header("if-match", &tag).json(&json!({"name": name}))).await
    };
    let (one, two) = tokio::join!(send("One"), send("Two"));
    let mut statuses = [one.status, two.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::PRECONDITION_FAILED]);
}

#[tokio::test]
async fn a_change_during_an_operation_is_a_conflict_that_names_the_operation() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let tenant = api.create_tenant("kopi-kenangan").await;
    let path = format!("/tenants/{}", tenant["id"].as_str().unwrap());
    let operation = api.get(&format!("{path}/operations")).await.json[0]["id"].as_str().unwrap().to_owned();
    for rejected in [
        api.patch(&path, &json!({"name": "Other"})).await,
        answer(api.request(Method::POST, &format!("{path}/retry"))).await,
    ] {
        assert_eq!(rejected.status, StatusCode::CONFLICT, "{}", rejected.text);
        assert!(rejected.json["detail"].as_str().unwrap().contains(&operation), "{}", rejected.text);
    }
}

#[tokio::test]
async fn only_a_failed_tenant_can_be_retried_and_only_once_at_a_time() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let tenant = api.create_tenant("kopi-kenangan").await;
    let path = format!("/tenants/{}", tenant["id"].as_str().unwrap());
    queues::drain(&world.provision_queue_url).await;
    set_status(&world, "active").await;
    let retry = async || answer(api.request(Method::POST, &format!("{path}/retry"))).await;
    assert_eq!(retry().await.status, StatusCode::CONFLICT);
    set_status(&world, "failed").await;
    let (one, two) = tokio::join!(retry(), retry());
    let mut statuses = [one.status, two.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::ACCEPTED, StatusCode::CONFLICT]);
    assert_eq!(api.get(&path).await.json["status"], "provisioning");
    assert_eq!(queues::drain(&world.provision_queue_url).await.len(), 1);
    let operations = api.get(&format!("{path}/operations")).await;
    let kinds: Vec<_> = operations.json.as_array().unwrap().iter().map(|operation| operation["kind"].clone()).collect();
    assert_eq!(kinds, ["retry", "provision"]);
}

#[tokio::test]
async fn a_retry_with_an_idempotency_key_is_executed_once_and_replayed_after_the_tenant_has_changed() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let (tenant, other) = (api.create_tenant("kopi-kenangan").await, api.create_tenant("teh-botol").await);
    queues::drain(&world.provision_queue_url).await;
    set_status(&world, "failed").await;
    let retry = async |tenant: &Value, key: &str| {
        let path = format!("/tenants/{}/retry", tenant["id"].as_str().unwrap());
        answer(api.request(Method::POST, &path).header("idempotency-key", key)).await
    };

    let answers = futures::future::join_all((0..8).map(|_| retry(&tenant, "k-1"))).await;
    let accepted: Vec<_> = answers.iter().filter(|answer| answer.status == StatusCode::ACCEPTED).collect();
    let first = accepted[0];
    for answer in &answers {
        if answer.status == StatusCode::ACCEPTED {
            assert_eq!(answer.text, first.text);
        } else {
            assert_eq!(answer.json["type"], "/api/super-admin/problems/request-in-progress", "{}", answer.text);
        }
    }
    assert_eq!(accepted.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count(), 1);
    assert_eq!(world.count("SELECT FROM operations WHERE kind = 'retry'").await, 1);
    assert_eq!(queues::drain(&world.provision_queue_url).await.len(), 1);

    // Without the key, a retry of an active tenant is a conflict.
    set_status(&world, "active").await;
    let replayed = retry(&tenant, "k-1").await;
    assert_eq!((replayed.status, &replayed.text), (StatusCode::ACCEPTED, &first.text));
    assert_eq!(replayed.header("idempotent-replayed"), "true");
    assert_eq!(replayed.header("operation-location"), first.header("operation-location"));
    assert_eq!(retry(&tenant, "k-2").await.status, StatusCode::CONFLICT);
    assert_eq!(world.count("SELECT FROM operations WHERE kind = 'retry'").await, 1);
    assert!(queues::drain(&world.provision_queue_url).await.is_empty(), "a replay wakes no worker");

    // The path is part of the request, so the same key for another tenant is another request.
    set_status(&world, "failed").await;
    let of_other = retry(&other, "k-1").await;
    assert_eq!(of_other.status, StatusCode::ACCEPTED, "{}", of_other.text);
    assert_ne!(of_other.json["operation_id"], first.json["operation_id"]);
}
