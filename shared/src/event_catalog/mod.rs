//! The catalog of events: the schema of each type, for the description of the API (OpenAPI) and of the topic (AsyncAPI). The
//! schemas come from the types that are serialized.

mod asyncapi;
mod envelope;

pub use asyncapi::asyncapi;

use utoipa::{
    ToSchema,
    openapi::{
        ContentBuilder, HttpMethod, OpenApi, PathItem, Ref, RefOr, ResponseBuilder, Schema,
        path::{OperationBuilder, PathsBuilder},
        request_body::RequestBodyBuilder,
    },
};

use crate::{
    event_catalog::envelope::{MEDIA_TYPE, Subject, envelope},
    events::EventType,
    health::ComponentChange,
    impersonations::events::LiveImpersonation,
    revocations::EndedImpersonation,
    tenants::Tenant,
    usage::{BelowLimit, Threshold},
    users::UserEventData,
};

/// The tag of the events in the description of the API.
pub const TAG: &str = "Events";

type Schemas = Vec<(String, RefOr<Schema>)>;

/// Events with the same kind of data.
struct EventGroup {
    /// The name of the schema of these events.
    name: &'static str,
    description: &'static str,
    subject: Subject,
    types: &'static [EventType],
    data: DataSchema,
}

struct DataSchema {
    name: String,
    /// The schema, and those that it refers to.
    schemas: Schemas,
}

impl DataSchema {
    fn of<T: ToSchema>() -> Self {
        let mut schemas = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut schemas);
        Self { name: T::name().into_owned(), schemas }
    }
}

/// All groups. Together they contain every [`EventType`], which a test checks.
fn groups() -> [EventGroup; 7] {
    [
        EventGroup {
            name: "TenantEvent",
            description: "A change of a tenant. `data` is the tenant after the change.",
            subject: Subject::Tenant,
            types: &[
                EventType::TenantRequested,
                EventType::TenantProvisioned,
                EventType::TenantProvisioningFailed,
                EventType::TenantUpdated,
                EventType::TenantSuspended,
                EventType::TenantResumed,
                EventType::TenantDeletionRequested,
                EventType::TenantExported,
                EventType::TenantRestored,
                EventType::TenantDeleted,
            ],
            data: DataSchema::of::<Tenant>(),
        },
        EventGroup {
            name: "UsageThresholdEvent",
            description: "A tenant has reached a share of a limit.",
            subject: Subject::Tenant,
            types: &[EventType::TenantUsageThresholdReached],
            data: DataSchema::of::<Threshold>(),
        },
        EventGroup {
            name: "UsageBelowLimitEvent",
            description: "A tenant is below a limit that it had reached.",
            subject: Subject::Tenant,
            types: &[EventType::TenantUsageBelowLimit],
            data: DataSchema::of::<BelowLimit>(),
        },
        EventGroup {
            name: "UserEvent",
            description: "A change of a user of a tenant.",
            subject: Subject::Tenant,
            types: &[
                EventType::UserCreated,
                EventType::UserUpdated,
                EventType::UserDeactivated,
                EventType::UserReactivated,
                EventType::UserPasswordReset,
                EventType::UserErased,
            ],
            data: DataSchema::of::<UserEventData<'static>>(),
        },
        EventGroup {
            name: "ImpersonationStartedEvent",
            description: "The beginning of an impersonation.",
            subject: Subject::Tenant,
            types: &[EventType::ImpersonationStarted],
            data: DataSchema::of::<LiveImpersonation<'static>>(),
        },
        EventGroup {
            name: "ImpersonationEndedEvent",
            description: "The end of an impersonation.",
            subject: Subject::Tenant,
            types: &[EventType::ImpersonationEnded],
            data: DataSchema::of::<EndedImpersonation>(),
        },
        EventGroup {
            name: "HealthEvent",
            description: "A change of the state of a component of the platform.",
            subject: Subject::Component,
            types: &[EventType::HealthChanged],
            data: DataSchema::of::<ComponentChange>(),
        },
    ]
}

/// Adds the events to the description of the API: the schemas, and a webhook for each type.
pub fn add_to(api: &mut OpenApi) {
    let mut webhooks = PathsBuilder::new();
    let components = api.components.get_or_insert_default();
    for EventGroup { name, description, subject, types, data } in groups() {
        components.schemas.insert(name.to_owned(), envelope(description, subject, types, &data.name));
        components.schemas.extend(data.schemas);
        for kind in types {
            webhooks = webhooks.path(kind.as_str(), webhook(*kind, name));
        }
    }
    api.webhooks = Some(webhooks.build());
}

fn webhook(kind: EventType, schema: &str) -> PathItem {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    let body = RequestBodyBuilder::new().content(MEDIA_TYPE, content).build();
    let description = format!(
        "{}\n\nThe event is a message on the Kafka topic that `GET /asyncapi.json` describes; the API calls no URL.",
        kind.meaning()
    );
    let operation = OperationBuilder::new()
        .operation_id(Some(format!("on_{}", kind.as_str().replace('.', "_"))))
        .summary(Some(kind.as_str()))
        .description(Some(description))
        .tag(TAG)
        .request_body(Some(body))
        .response("204", ResponseBuilder::new().description("The reader has processed the event").build())
        // No requirement: the topic has its own authentication.
        .securities(Some([]));
    PathItem::new(HttpMethod::Post, operation)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_type_of_event_is_in_one_group() {
        let described: Vec<EventType> = groups().iter().flat_map(|group| group.types).copied().collect();
        assert_eq!(described.iter().collect::<HashSet<_>>().len(), described.len(), "{described:?}");
        let missing: Vec<_> = EventType::ALL.iter().filter(|kind| !described.contains(kind)).collect();
        assert!(missing.is_empty(), "the catalog does not contain {missing:?}");
    }
}
