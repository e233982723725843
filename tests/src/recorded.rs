//! Examples of responses in the description of the API: recorded from real answers, so that they cannot differ from what the API
//! returns. What changes from run to run, such as ids and times, is replaced.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value};
use shared::{
    event_catalog,
    http::document,
    tenants::TENANT_SCHEMA_VERSION,
    types::{Day, ExportId, ImpersonationId, OperationId, SuperAdminRole, TenantId},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::openapi::{Content, OpenApi, RefOr, Response, example::ExampleBuilder};
use uuid::Uuid;

use crate::{
    Answer, Api, World,
    api::{Parts, answer, routes},
    examples::furnish,
    problems::{Produced, produce_all},
    produced_events::produce_events,
    requests::{ExampleRequest, of_examples},
    token_endpoint::TokenEndpoint,
    tokens,
};

const TIME: &str = "2026-01-15T09:30:00.000Z";
const DAY: &str = "2026-01-15";
const TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJleGFtcGxlIn0.c2lnbmF0dXJl";
/// A list shows this many items.
const MAX_ITEMS: usize = 1;

/// Adds an example to every success, every conflict and every event in the description of the API.
async fn add_examples(document: &mut OpenApi) {
    let successes = record_successes(&serde_json::to_value(&*document).unwrap()).await;
    let problems = Box::pin(produce_all()).await;
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.patch, &mut item.put, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            let name = operation.operation_id.clone().unwrap();
            for (status, response) in &mut operation.responses.responses {
                let answer = successes.get(&name).filter(|answer| answer.status.as_str() == status);
                add_to(response, answer, &problems);
            }
        }
    }
    for response in document.components.as_mut().unwrap().responses.values_mut() {
        add_to(response, None, &problems);
    }
    let events = Box::pin(produce_events()).await;
    for (kind, webhook) in &mut document.webhooks.as_mut().unwrap().paths {
        let operation = webhook.post.as_mut().unwrap();
        let Some(RefOr::T(body)) = &mut operation.request_body else { panic!("{kind} has no body") };
        let RefOr::T(content) = body.content.values_mut().next().unwrap() else { panic!("{kind} has no content") };
        content.example = events.get(kind).map(|message| normalized(&message.payload));
    }
}

/// The description of the API, with its examples: the functions' routes, and the events.
pub async fn complete_document(world: &World) -> OpenApi {
    let mut api = routes(&Parts::of(world)).describe();
    event_catalog::add_to(&mut api);
    let mut document = document(api);
    add_examples(&mut document).await;
    document
}

fn add_to(response: &mut RefOr<Response>, answer: Option<&Answer>, problems: &Produced) {
    let RefOr::T(response) = response else { return };
    for (media_type, content) in &mut response.content {
        let RefOr::T(content) = content else { continue };
        if media_type == "application/problem+json" {
            add_problems(content, problems);
        } else if let Some(answer) = answer.filter(|answer| is_example(&answer.json)) {
            content.example = Some(normalized(&answer.json));
        }
    }
}

/// The documents themselves are no examples in the document.
fn is_example(body: &Value) -> bool {
    !body.is_null() && body.get("openapi").is_none() && body.get("asyncapi").is_none()
}

/// The answer of each operation to the example of its request.
async fn record_successes(document: &Value) -> BTreeMap<String, Answer> {
    let world = World::new().await;
    let provider = TokenEndpoint::start().await;
    let api = Api::with(&Parts { code_exchange: Some(provider.client()), ..Parts::of(&world) }).await;
    let mut answers = BTreeMap::new();
    send_each(&world, document, async |request, token| {
        let mut builder = api.anonymous_root(request.method.clone(), &request.path).bearer_auth(token);
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        let answer = answer(builder).await;
        assert!(answer.status.is_success(), "{}: {} {}", request.operation, answer.status, answer.text);
        answers.insert(request.operation.clone(), answer);
    })
    .await;
    answers
}

/// Sends the example of each operation, in an order and from a state in which all of them succeed. Each has the token of another
/// super-admin, because some requests end the caller's sessions.
pub async fn send_each(world: &World, document: &Value, mut send: impl AsyncFnMut(&ExampleRequest, String)) {
    furnish(world).await;
    // What reads comes before what changes, and a change whose result depends on the state comes last.
    let (reads, changes): (Vec<_>, Vec<_>) =
        of_examples(document).into_iter().partition(|request| request.method == Method::GET);
    let is_last = |request: &ExampleRequest| {
        request.body.is_none() || ["delete_tenant", "promote_tenant"].contains(&&*request.operation)
    };
    let (mut last, mut first): (Vec<_>, Vec<_>) = changes.into_iter().partition(is_last);
    // After it, the tenant has other databases.
    last.sort_by_key(|request| request.operation == "promote_tenant");
    // An erased user cannot be changed.
    first.sort_by_key(|request| request.operation == "erase_user");
    for request in reads.into_iter().chain(first).chain(last) {
        prepare(world, &request).await;
        let admin = world.operator(SuperAdminRole::Owner).await;
        send(&request, tokens::sign(&tokens::claims(&admin.to_string()))).await;
    }
}

/// Brings a resource into the state that a request without a body needs.
async fn prepare(world: &World, request: &ExampleRequest) {
    let sql = match request.operation.as_str() {
        "retry_tenant" => format!(
            "UPDATE operations SET status = 'failed', finished_at = now(), next_attempt_at = NULL WHERE tenant_id = '{tenant}';
             UPDATE tenants SET status = 'failed' WHERE id = '{tenant}'",
            tenant = TenantId::EXAMPLE
        ),
        "delete_tenant" => format!(
            "UPDATE operations SET status = 'succeeded', finished_at = now(), next_attempt_at = NULL WHERE finished_at IS NULL;
             UPDATE tenants SET slug = left('t' || md5(id::text), 20) WHERE slug = 'kopi-kenangan';
             UPDATE tenants SET status = 'active', deletion = NULL, slug = 'kopi-kenangan' WHERE id = '{}'",
            TenantId::EXAMPLE
        ),
        "restore_tenant" => format!(
            r#"UPDATE operations SET status = 'succeeded', finished_at = now(), next_attempt_at = NULL WHERE finished_at IS NULL;
             UPDATE tenants SET status = 'deleting',
                 deletion = '{{"requested_at": "2026-01-01T00:00:00Z", "requested_by": "x", "reason": "x",
                              "purge_after": "2999-01-01T00:00:00Z", "status_before": "active"}}'
             WHERE id = '{}'"#,
            TenantId::EXAMPLE
        ),
        "create_export" => format!(
            "UPDATE operations SET status = 'superseded', finished_at = now(), next_attempt_at = NULL WHERE finished_at IS NULL;
             UPDATE tenants SET status = 'active', suspension = NULL WHERE id = '{}'",
            TenantId::EXAMPLE
        ),
        // The example's tenant is the copy, and another one has the slug.
        "promote_tenant" => format!(
            r#"UPDATE operations SET status = 'succeeded', finished_at = now(), next_attempt_at = NULL WHERE finished_at IS NULL;
             DELETE FROM tenant_changes;
             UPDATE tenants SET slug = left('t' || md5(id::text), 20) WHERE slug = 'kopi-kenangan';
             INSERT INTO tenants (id, name, slug, status, database_name, schema_version, country, suspension,
                                  postgres_cluster, mongo_cluster, created_at, updated_at)
             VALUES (gen_random_uuid(), 'Kopi Kenangan', 'kopi-kenangan', 'suspended',
                     'tenant_' || replace(gen_random_uuid()::text, '-', ''), {version}, 'ID',
                     '{{"id": "{copy}", "requested_at": "2026-01-01T00:00:00Z", "reason": "requested", "acknowledged_by": []}}',
                     'main', 'main', now(), now());
             UPDATE tenants c SET status = 'suspended', deletion = NULL, suspension = o.suspension,
                 restored_from = jsonb_build_object('tenant_id', o.id, 'export_id', '{export}')
             FROM tenants o WHERE c.id = '{copy}' AND o.slug = 'kopi-kenangan';
             UPDATE tenant_databases SET state = 'live'
             WHERE name = (SELECT database_name FROM tenants WHERE id = '{copy}')"#,
            version = TENANT_SCHEMA_VERSION,
            export = ExportId::EXAMPLE,
            copy = TenantId::EXAMPLE
        ),
        "retry_operation" | "abandon_operation" => format!(
            "UPDATE operations SET status = 'superseded', finished_at = now(), next_attempt_at = NULL WHERE finished_at IS NULL;
             UPDATE operations SET status = 'running', finished_at = NULL, next_attempt_at = now() WHERE id = '{}'",
            OperationId::EXAMPLE
        ),
        "end_impersonation" => {
            format!(
                "UPDATE impersonations SET ended_at = NULL, end_reason = NULL WHERE id = '{}'",
                ImpersonationId::EXAMPLE
            )
        }
        _ => return,
    };
    world.client().await.batch_execute(&sql).await.unwrap();
}

/// Adds an example of each conflict that the schema allows. Other problems are the same for every operation, and have examples.
fn add_problems(content: &mut Content, problems: &Produced) {
    let schema = serde_json::to_value(&content.schema).unwrap();
    let kinds = schema.pointer("/allOf/1/properties/type/enum").and_then(Value::as_array);
    for name in kinds.into_iter().flatten().map(|kind| kind.as_str().unwrap().rsplit('/').next().unwrap()) {
        let problem = &problems[name];
        if problem.status == StatusCode::CONFLICT {
            let value = normalized(&problem.json);
            let example = ExampleBuilder::new().summary(value["title"].as_str().unwrap()).value(Some(value)).build();
            content.examples.insert(name.to_owned(), RefOr::T(example));
        }
    }
}

/// Replaces what changes from run to run.
pub fn normalized(value: &Value) -> Value {
    let mut ids = BTreeMap::new();
    replace("", value, &mut ids)
}

fn replace(key: &str, value: &Value, ids: &mut BTreeMap<Uuid, String>) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, field)| (public_name(key), replace(key, field, ids)));
            fields.collect::<Map<_, _>>().into()
        }
        Value::Array(items) => {
            // The steps of an operation and the members of a key set belong together.
            let shown = if ["steps", "keys", "errors"].contains(&key) { items.len() } else { MAX_ITEMS };
            items.iter().take(shown).map(|item| replace(key, item, ids)).collect()
        }
        Value::String(_) if key == "version" => "1.0".into(),
        // Of this checkout.
        Value::String(_) if key == "commit" => "0190a0c48f6e7c3a9d2b5e1f00c0ffee0190a0c4".into(),
        Value::String(_) if key == "month" => "2026-01".into(),
        // The keys of this machine.
        // A presigned link of this machine's object storage.
        Value::String(_) if key == "url" => {
            "https://bucket.s3.eu-central-1.amazonaws.com/exports/users.copy.gz?X-Amz-Signature=0123".into()
        }
        Value::String(_) if key == "sha256" || key == "manifest_sha256" => "0".repeat(64).into(),
        Value::String(_) if key == "kid" => "2026-01-15".into(),
        Value::String(_) if key == "x" => "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into(),
        Value::Number(_) if key == "iat" => 1_768_469_400.into(),
        // Of this machine's topic.
        Value::Number(_) if key == "partitions" => 3.into(),
        Value::Number(_) if key.ends_with("_ms") || key.ends_with("_seconds") => 1.into(),
        Value::String(text) => replace_text(text, ids).into(),
        other => other.clone(),
    }
}

/// The names of this run's queues are keys of the health report.
fn public_name(key: &str) -> String {
    match key.strip_prefix("test_").and_then(|name| name.rsplit('-').next()) {
        Some(name) => format!("landlord-{name}"),
        None => key.to_owned(),
    }
}

fn replace_text(text: &str, ids: &mut BTreeMap<Uuid, String>) -> String {
    if OffsetDateTime::parse(text, &Rfc3339).is_ok() {
        return TIME.to_owned();
    }
    if Day::parse(text).is_ok() {
        return DAY.to_owned();
    }
    if text.len() > 100 && text.split('.').count() == 3 && !text.contains(' ') {
        return TOKEN.to_owned();
    }
    let is_part_of_id = |c: char| c.is_ascii_hexdigit() || c == '-';
    let mut replaced = text.to_owned();
    for word in text.split(|c: char| !is_part_of_id(c)).map(|word| word.trim_matches('-')) {
        // A name may end with letters that are hexadecimal digits too, before the digits of an id.
        let end = |length: usize| word.get(word.len().saturating_sub(length)..).unwrap_or_default();
        let mut candidates = [word, end(36), end(32)].into_iter().filter(|word| word.len() >= 32);
        let Some((word, id)) = candidates.find_map(|word| Some((word, word.parse::<Uuid>().ok()?))) else {
            continue;
        };
        let next = format!("0190a0c4-8f6e-7c3a-9d2b-{:012x}", ids.len() + 1);
        let example = ids.entry(id).or_insert(next);
        let example = if word.contains('-') { example.clone() } else { example.replace('-', "") };
        replaced = replaced.replace(word, &example);
    }
    replaced
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_times_and_tokens_are_replaced_and_equal_ids_stay_equal() {
        let id = Uuid::now_v7();
        let value = json!({ "id": id, "again": format!("Operation {id} runs"), "database": format!("tenant_{}", id.simple()),
                            "email": format!("erased-{id}@invalid"),
                            "at": "2026-11-28T17:00:00.123Z", "latency_ms": 17.5, "name": "Kopi" });
        let example = "0190a0c4-8f6e-7c3a-9d2b-000000000001";
        let expected = json!({ "id": example, "again": format!("Operation {example} runs"),
                               "database": format!("tenant_{}", example.replace('-', "")),
                               "email": format!("erased-{example}@invalid"),
                               "at": TIME, "latency_ms": 1, "name": "Kopi" });
        assert_eq!(normalized(&value), expected);
    }
}
