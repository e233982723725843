//! What happened against the events that report it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokio_postgres::Client;
use uuid::Uuid;

use super::lines;

/// The events about tenants whose data are the whole tenant.
const OF_TENANT: [&str; 9] = [
    "tenant.requested",
    "tenant.provisioned",
    "tenant.provisioning_failed",
    "tenant.updated",
    "tenant.suspended",
    "tenant.resumed",
    "tenant.deletion_requested",
    "tenant.restored",
    "tenant.deleted",
];

/// `delivered` and then the outbox contain all events, each key's in its order.
pub(super) async fn contradictions(platform: &Client, delivered: &[Value]) -> Vec<String> {
    // The outbox is read first: an event that leaves it meanwhile would be missed otherwise.
    let waiting = "SELECT payload::text FROM outbox WHERE destination = 'event' ORDER BY id";
    let waiting: Vec<Value> =
        lines(platform, waiting).await.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut events = Vec::new();
    for event in delivered {
        if seen.insert(text(event, "/id")) {
            events.push(event);
        } else {
            found.push(format!("event {} ({}) was delivered twice", text(event, "/id"), text(event, "/type")));
        }
    }
    // A batch that is open is in the outbox and may be on the topic, too.
    events.extend(waiting.iter().filter(|event| seen.insert(text(event, "/id"))));
    found.extend(tenants(platform, &events).await);
    found.extend(operations(platform, &events).await);
    found.extend(impersonations(platform, &events).await);
    found.extend(users(&events));
    found
}

/// The last event about a tenant shows it as it is.
async fn tenants(platform: &Client, events: &[&Value]) -> Vec<String> {
    let newest: BTreeMap<String, &Value> = events
        .iter()
        .filter(|event| OF_TENANT.contains(&&*text(event, "/type")))
        .map(|event| (text(event, "/subject"), *event))
        .collect();
    let sql = "SELECT json_build_object('id', id, 'name', name, 'slug', slug, 'status', status, 'max_agents', max_agents,
                   'max_contacts', max_contacts, 'max_messages_month', max_messages_month, 'on_limit', on_limit)::text
               FROM tenants t WHERE EXISTS (SELECT FROM audit a WHERE a.tenant_id = t.id AND a.action IN ('tenant.create', 'tenant.restore_export'))";
    let mut found = Vec::new();
    for row in lines(platform, sql).await {
        let row: Value = serde_json::from_str(&row).unwrap();
        let id = text(&row, "/id");
        let Some(event) = newest.get(&id) else {
            found.push(format!("tenant {id} has no event"));
            continue;
        };
        let data = &event["data"];
        for (field, pointer) in [("name", "/name"), ("slug", "/slug"), ("status", "/status"), ("on_limit", "/on_limit")]
        {
            if data.pointer(pointer) != row.get(field) {
                found.push(format!("the last event of tenant {id} has {field} {}, not {}", data[field], row[field]));
            }
        }
        for field in ["max_agents", "max_contacts", "max_messages_month"] {
            if data["limits"][field] != row[field] {
                let last = &data["limits"][field];
                found.push(format!("the last event of tenant {id} has {field} {last}, not {}", row[field]));
            }
        }
    }
    found
}

/// Each operation that has ended is reported once for each time that it changed the tenant.
async fn operations(platform: &Client, events: &[&Value]) -> Vec<String> {
    let count = |tenant: &str, kind: &str| {
        events.iter().filter(|event| text(event, "/type") == kind && text(event, "/subject") == tenant).count()
    };
    let sql = "SELECT tenant_id || ' ' || count(*) FILTER (WHERE status = 'succeeded') || ' '
                   || count(*) FILTER (WHERE status = 'failed')
               FROM operations WHERE kind IN ('provision', 'retry') GROUP BY tenant_id";
    let mut found = Vec::new();
    for line in lines(platform, sql).await {
        let [tenant, succeeded, failed] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        for (kind, expected) in [("tenant.provisioned", succeeded), ("tenant.provisioning_failed", failed)] {
            let events = count(tenant, kind);
            if events.to_string() != expected {
                found.push(format!("tenant {tenant} has {events} events {kind} for {expected} operations"));
            }
        }
    }
    found
}

/// Each impersonation has one event of its start, when it was recorded, and one of its end, unless it expired.
async fn impersonations(platform: &Client, events: &[&Value]) -> Vec<String> {
    let mut started: BTreeMap<String, usize> = BTreeMap::new();
    let mut ended: BTreeMap<String, usize> = BTreeMap::new();
    for event in events {
        let counts = match &*text(event, "/type") {
            "impersonation.started" => &mut started,
            "impersonation.ended" => &mut ended,
            _ => continue,
        };
        *counts.entry(text(event, "/data/id")).or_default() += 1;
    }
    let sql = "SELECT id || ' ' || (recorded_at IS NOT NULL) || ' ' || (recorded_at IS NOT NULL AND end_reason IS NOT NULL AND end_reason <> 'expired')
               FROM impersonations i WHERE EXISTS (SELECT FROM audit a WHERE a.tenant_id = i.tenant_id
                   AND a.action = 'impersonation.start')
                   AND NOT EXISTS (SELECT FROM tenant_changes c WHERE c.impersonation_id = i.id)";
    let mut found = Vec::new();
    for line in lines(platform, sql).await {
        let [id, recorded, over] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        for (kind, counts, expected) in [("started", &started, recorded), ("ended", &ended, over)] {
            let count = counts.get(id).copied().unwrap_or_default();
            if count != usize::from(expected == "true") {
                found.push(format!("impersonation {id} has {count} events {kind}; expected: {expected}"));
            }
        }
    }
    found
}

/// The revisions of each user that events report have no gap.
fn users(events: &[&Value]) -> Vec<String> {
    let mut revisions: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
    for event in events.iter().filter(|event| text(event, "/type").starts_with("user.")) {
        let user = (text(event, "/subject"), text(event, "/data/user/id"));
        revisions.entry(user).or_default().push(event["data"]["revision"].as_i64().unwrap_or_default());
    }
    let mut found = Vec::new();
    for ((tenant, user), reported) in revisions {
        if !reported.is_sorted() {
            found.push(format!("the events of user {user} of tenant {tenant} are out of order: {reported:?}"));
        }
        let distinct = BTreeSet::from_iter(&reported);
        // The first user is created with the tenant, without an event.
        let is_complete = |first: i64| (first..).zip(&distinct).all(|(expected, found)| expected == **found);
        if !is_complete(1) && !is_complete(2) {
            found.push(format!("events of user {user} of tenant {tenant} are missing: {reported:?}"));
        }
    }
    found
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The users of a tenant's database, as `(id, revision)`, against the events about them.
pub async fn of_users(tenant: Uuid, inside: &Client, events: &[Value]) -> Vec<String> {
    let mut newest: BTreeMap<String, i64> = BTreeMap::new();
    for event in events.iter().filter(|event| text(event, "/subject") == tenant.to_string()) {
        if let Some(revision) = event["data"]["revision"].as_i64() {
            newest.insert(text(event, "/data/user/id"), revision);
        }
    }
    let mut found = Vec::new();
    for row in inside.query("SELECT id::text, revision FROM users", &[]).await.unwrap() {
        let (user, revision): (String, i64) = (row.get(0), row.get(1));
        let reported = newest.remove(&user).unwrap_or(1);
        if reported != revision {
            found
                .push(format!("user {user} of tenant {tenant} has revision {revision}; the last event has {reported}"));
        }
    }
    found.extend(
        newest.keys().map(|user| format!("an event reports user {user} of tenant {tenant}, who does not exist")),
    );
    found
}
