//! The attributes of every event: CloudEvents 1.0 in structured JSON.

use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, Ref, RefOr, Schema, SchemaFormat, Type, schema::KnownFormat},
};

use crate::{events::EventType, health::Component, types::TenantId};

pub(super) const MEDIA_TYPE: &str = "application/cloudevents+json";

/// What events are about. The key of their messages is its id or name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject {
    Tenant,
    Component,
}

/// The schema of events of these types, whose data is a component.
pub(super) fn envelope(description: &str, subject: Subject, types: &[EventType], data: &str) -> RefOr<Schema> {
    let text = |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    let word = |description: &str, words: Vec<&'static str>| text(description).enum_values(Some(words));
    let reference = |name: &str, description: &str| {
        Ref::builder().ref_location_from_schema_name(name).description(Some(description)).build()
    };
    let format = |format: KnownFormat| Some(SchemaFormat::KnownFormat(format));
    let subject = match subject {
        Subject::Tenant => reference(&TenantId::name(), "The tenant; also the key of the message"),
        Subject::Component => reference(&Component::name(), "The component; also the key of the message"),
    };
    let types = types.iter().map(|kind| kind.as_str()).collect();
    let event = ObjectBuilder::new()
        .description(Some(description))
        .property("specversion", word("The version of CloudEvents", vec!["1.0"]))
        .property(
            "id",
            text("Identifies the event; a repeated event has the same id").format(format(KnownFormat::Uuid)),
        )
        .property("source", word("The system that sends the event", vec!["landlord"]))
        .property("type", word("The type of the event", types))
        .property("subject", subject)
        .property("time", text("When it happened, RFC 3339").format(format(KnownFormat::DateTime)))
        .property("datacontenttype", word("The format of `data`", vec!["application/json"]))
        .property("data", reference(data, "What has happened"));
    let attributes = ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"];
    attributes.into_iter().fold(event, ObjectBuilder::required).into()
}
