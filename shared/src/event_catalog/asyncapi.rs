//! The description of the Kafka topic in AsyncAPI 3.0.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use crate::{
    error::{Error, Result},
    event_catalog::{envelope::MEDIA_TYPE, groups},
};

/// The version of the bindings for Kafka.
const KAFKA_BINDING: &str = "0.5.0";

const EXAMPLE_TRACEPARENT: &str = "00-5759e988bd862e3fe1be46a994272793-9d2b5e1f00c0ffee-01";

const DESCRIPTION: &str = "\
The events of Landlord, for the platform's other services: CloudEvents 1.0 in structured JSON, one for each message.

**Topic.** The address of the channel is the default; a deployment may use another (`KAFKA_TOPIC`). If the topic does not exist, it is \
created with six partitions.

**Key and order.** The key of a message is the `subject` of its event: the id of a tenant, or the name of a component of the \
platform. Events of one subject are in one partition, in the order in which they happened. Between subjects there is no order.

**Delivery.** Every committed change has its event on the topic exactly once, usually within a second and otherwise within minutes. \
Events are sent in transactions: read with `isolation.level=read_committed`, because the messages of an aborted transaction are \
sent again. A reader that ends before it has committed its offset reads events again, and recognizes them by their `id`.

**Changes.** New types of events, new fields and new values of enumerations may appear at any time. Ignore what you do not know. \
Everything else follows the policy on versions and deprecation of the API. Events contain no secrets.";

/// The description of the topic. `api` is the description of the API, with the events and their examples.
pub fn asyncapi(api: &OpenApi) -> Result<Value> {
    let api = serde_json::to_value(api).map_err(Error::internal)?;
    let (mut messages, mut references) = (Map::new(), Map::new());
    for group in groups() {
        for kind in group.types {
            let name = kind.as_str();
            let example =
                api["webhooks"][name].pointer("/post/requestBody/content").map(|it| &it[MEDIA_TYPE]["example"]);
            messages.insert(name.to_owned(), message(name, kind.meaning(), group.name, example));
            references.insert(name.to_owned(), json!({ "$ref": format!("#/components/messages/{name}") }));
        }
    }
    let of_channel = references.keys().map(|name| json!({ "$ref": format!("#/channels/events/messages/{name}") }));
    let of_channel: Vec<Value> = of_channel.collect();
    let schemas = schemas(&api["components"]["schemas"]);
    Ok(json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Landlord: events",
            "version": api["info"]["version"],
            "description": DESCRIPTION,
            "contact": api["info"]["contact"],
            "license": { "name": api["info"]["license"]["name"], "url": "https://www.apache.org/licenses/LICENSE-2.0" },
            "tags": [{ "name": "events", "description": "The events of Landlord" }],
        },
        "defaultContentType": MEDIA_TYPE,
        "servers": {
            "kafka": {
                "host": "{brokers}",
                "protocol": "kafka-secure",
                "description": "The platform's Kafka cluster. The deployment decides about encryption and authentication.",
                "variables": {
                    "brokers": { "description": "The brokers, `host:port`", "default": "localhost:9092" },
                },
            },
        },
        "channels": {
            "events": {
                "address": "platform.tenant-events",
                "title": "Events",
                "description": "The one topic of all events.",
                "messages": references,
                "bindings": { "kafka": { "topic": "platform.tenant-events", "partitions": 6, "bindingVersion": KAFKA_BINDING } },
            },
        },
        "operations": {
            "sendEvents": {
                "action": "send",
                "title": "Send events",
                "summary": "Landlord sends an event for each committed change.",
                "description": "After the transaction of a change has committed, its events are sent in the order of their subject.",
                "channel": { "$ref": "#/channels/events" },
                "messages": of_channel,
            },
        },
        "components": { "messages": messages, "schemas": schemas },
    }))
}

fn message(name: &str, meaning: &str, schema: &str, example: Option<&Value>) -> Value {
    let headers = json!({
        "type": "object",
        "description": "The headers of the message.",
        "required": ["content-type", "ce_id", "traceparent"],
        "properties": {
            "content-type": { "type": "string", "description": "The format of the message", "const": MEDIA_TYPE },
            "ce_id": { "type": "string", "format": "uuid", "description": "The `id` of the event" },
            "traceparent": {
                "type": "string",
                "description": "W3C Trace Context. The trace id is that of the request that caused the event, as in the log of Landlord",
                "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-01$",
            },
        },
    });
    let examples: Vec<Value> = example
        .filter(|payload| payload.is_object())
        .map(|payload| {
            let headers =
                json!({ "content-type": MEDIA_TYPE, "ce_id": payload["id"], "traceparent": EXAMPLE_TRACEPARENT });
            json!({ "name": "recorded", "summary": "An event of a test", "headers": headers, "payload": payload })
        })
        .into_iter()
        .collect();
    json!({
        "name": name,
        "title": name,
        "summary": meaning,
        "contentType": MEDIA_TYPE,
        "headers": headers,
        "payload": { "$ref": format!("#/components/schemas/{schema}") },
        "bindings": {
            "kafka": {
                "key": { "type": "string", "description": "The `subject` of the event" },
                "bindingVersion": KAFKA_BINDING,
            },
        },
        "examples": examples,
    })
}

/// The schemas of the events, and those that they refer to.
fn schemas(all: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut names: BTreeSet<String> = groups().iter().map(|group| group.name.to_owned()).collect();
    while let Some(name) = names.pop_first() {
        let schema = without_siblings(&all[&name]);
        names.extend(referred(&schema).into_iter().filter(|other| *other != name && !found.contains_key(other)));
        found.insert(name, schema);
    }
    found
}

/// AsyncAPI ignores what is beside a `$ref`, such as the description of a field.
fn without_siblings(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut object: Map<_, _> =
                object.iter().map(|(name, value)| (name.clone(), without_siblings(value))).collect();
            if object.len() > 1
                && let Some(reference) = object.remove("$ref")
            {
                object.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
            }
            Value::Object(object)
        }
        Value::Array(array) => array.iter().map(without_siblings).collect(),
        other => other.clone(),
    }
}

fn referred(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(object) => {
            let own =
                object.get("$ref").and_then(Value::as_str).and_then(|at| at.rsplit('/').next()).map(str::to_owned);
            object.values().flat_map(referred).chain(own).collect()
        }
        Value::Array(array) => array.iter().flat_map(referred).collect(),
        _ => BTreeSet::new(),
    }
}
