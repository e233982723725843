//! Bodies of requests have only the fields in their schemas.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::openapi::{
    OpenApi, RefOr, Schema,
    path::Operation,
    schema::{AdditionalProperties, ArrayItems},
};

pub(super) type Schemas = BTreeMap<String, RefOr<Schema>>;

/// Forbids additional properties in the schemas of bodies and of their parts, because [`crate::http::JsonBody`] rejects
/// unknown fields.
pub(super) fn close(api: &mut OpenApi) {
    let mut names = BTreeSet::new();
    for item in api.paths.paths.values_mut() {
        for operation in super::operations(item) {
            names.extend(body(operation));
        }
    }
    let Some(components) = &mut api.components else { return };
    let mut open: Vec<String> = names.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let inside = close_one(&mut components.schemas, &name);
        open.extend(inside.into_iter().filter(|name| names.insert(name.clone())));
    }
}

/// The schema of an object that has exactly one of these fields.
pub fn exactly_one(mut schema: RefOr<Schema>, fields: &[&str]) -> RefOr<Schema> {
    if let RefOr::T(Schema::Object(object)) = &mut schema {
        let each: Vec<_> = fields.iter().map(|field| serde_json::json!({ "required": [field] })).collect();
        // utoipa has no field for it.
        object.extensions.get_or_insert_default().insert("oneOf".to_owned(), each.into());
    }
    schema
}

/// The names of the schemas in an operation's body.
fn body(operation: &Operation) -> Vec<String> {
    let Some(RefOr::T(body)) = &operation.request_body else { return Vec::new() };
    let contents = body.content.values().filter_map(|content| match content {
        RefOr::T(content) => content.schema.as_ref(),
        RefOr::Ref(_) => None,
    });
    contents.flat_map(names_in).collect()
}

/// The name of the component to which a schema refers.
pub(super) fn name(schema: &RefOr<Schema>) -> Option<String> {
    match schema {
        RefOr::Ref(reference) => reference.ref_location.rsplit('/').next().map(str::to_owned),
        RefOr::T(_) => None,
    }
}

/// Closes a schema and returns the names of the schemas in it.
fn close_one(schemas: &mut Schemas, of: &str) -> Vec<String> {
    let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(of) else { return Vec::new() };
    if !object.properties.is_empty() && object.additional_properties.is_none() {
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    }
    object.properties.values().flat_map(names_in).collect()
}

fn names_in(schema: &RefOr<Schema>) -> Vec<String> {
    match schema {
        RefOr::Ref(_) => name(schema).into_iter().collect(),
        RefOr::T(Schema::OneOf(one_of)) => one_of.items.iter().flat_map(names_in).collect(),
        RefOr::T(Schema::AllOf(all_of)) => all_of.items.iter().flat_map(names_in).collect(),
        RefOr::T(Schema::AnyOf(any_of)) => any_of.items.iter().flat_map(names_in).collect(),
        RefOr::T(Schema::Array(array)) => match &array.items {
            ArrayItems::RefOrSchema(items) => names_in(items),
            ArrayItems::False => Vec::new(),
        },
        RefOr::T(_) => Vec::new(),
    }
}
