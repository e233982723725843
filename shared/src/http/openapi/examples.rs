//! Examples of bodies, composed of the examples of their fields.

use serde_json::{Map, Value};
use utoipa::openapi::{OpenApi, RefOr, Schema};

use crate::http::openapi::{
    bodies::{Schemas, name},
    operations,
};

/// Adds an example to each body without one.
pub(super) fn give(api: &mut OpenApi) {
    let Some(components) = &api.components else { return };
    for operation in api.paths.paths.values_mut().flat_map(operations) {
        let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
        for content in body.content.values_mut() {
            if let RefOr::T(content) = content
                && content.example.is_none()
                && content.examples.is_empty()
            {
                content.example = content.schema.as_ref().and_then(|schema| of(&components.schemas, schema));
            }
        }
    }
}

fn of(schemas: &Schemas, schema: &RefOr<Schema>) -> Option<Value> {
    let first = |items: &[RefOr<Schema>]| items.iter().find_map(|item| of(schemas, item));
    match schema {
        RefOr::Ref(_) => of(schemas, schemas.get(&name(schema)?)?),
        RefOr::T(Schema::Object(object)) => object
            .example
            .clone()
            .or_else(|| object.examples.first().cloned())
            .or_else(|| object.enum_values.as_ref()?.first().cloned())
            .or_else(|| {
                let fields =
                    object.properties.iter().filter_map(|(name, field)| Some((name.clone(), of(schemas, field)?)));
                let fields: Map<String, Value> = fields.collect();
                (!fields.is_empty()).then_some(Value::Object(fields))
            }),
        RefOr::T(Schema::OneOf(one_of)) => one_of.example.clone().or_else(|| first(&one_of.items)),
        RefOr::T(Schema::AllOf(all_of)) => all_of.example.clone().or_else(|| first(&all_of.items)),
        RefOr::T(_) => None,
    }
}
