//! Schemas of value types are written out where they are used, instead of being components.

use std::collections::BTreeMap;

use utoipa::openapi::{
    OpenApi, Ref, RefOr, Schema,
    path::Operation,
    schema::{AdditionalProperties, ArrayItems, Object},
};

use crate::{http::openapi::bodies::name, types::INLINE};

/// The components that are written out.
struct Inlined(BTreeMap<String, Replacement>);

/// The replacement of references to a component.
enum Replacement {
    /// The schema itself.
    Schema(Box<Object>),
    /// Another component, for a field that may be absent ([`crate::http::Field`]).
    Field(String),
}

/// Replaces the references to schemas with the mark [`INLINE`] and to [`crate::http::Field`]s, and removes them from the
/// components.
pub(super) fn write_out(api: &mut OpenApi) {
    let Some(components) = &mut api.components else { return };
    let inlined = Inlined(
        components
            .schemas
            .extract_if(.., |_, schema| replacement_of(schema).is_some())
            .filter_map(|(name, schema)| replacement_of(&schema).map(|replacement| (name, replacement)))
            .collect(),
    );
    components.schemas.values_mut().for_each(|schema| inlined.replace_in(schema));
    for operation in api.paths.paths.values_mut().flat_map(super::operations) {
        schemas_of(operation).for_each(|schema| inlined.replace_in(schema));
    }
}

fn replacement_of(schema: &RefOr<Schema>) -> Option<Replacement> {
    match schema {
        RefOr::Ref(_) => name(schema).map(Replacement::Field),
        RefOr::T(Schema::Object(object)) if is_marked(object) => {
            Some(Replacement::Schema(Box::new(without_mark(object.clone()))))
        }
        RefOr::T(_) => None,
    }
}

fn is_marked(object: &Object) -> bool {
    object.extensions.as_ref().is_some_and(|extensions| extensions.contains_key(INLINE))
}

fn without_mark(mut object: Object) -> Object {
    if let Some(extensions) = &mut object.extensions {
        extensions.remove(INLINE);
        if extensions.is_empty() {
            object.extensions = None;
        }
    }
    object
}

/// The schemas of an operation's parameters and contents.
fn schemas_of(operation: &mut Operation) -> impl Iterator<Item = &mut RefOr<Schema>> {
    let parameters = operation.parameters.iter_mut().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) => parameter.schema.as_mut(),
        RefOr::Ref(_) => None,
    });
    let responses = operation.responses.responses.values_mut().filter_map(|response| match response {
        RefOr::T(response) => Some(response.content.values_mut()),
        RefOr::Ref(_) => None,
    });
    let body = operation.request_body.iter_mut().filter_map(|body| match body {
        RefOr::T(body) => Some(body.content.values_mut()),
        RefOr::Ref(_) => None,
    });
    let contents = responses.flatten().chain(body.flatten()).filter_map(|content| match content {
        RefOr::T(content) => content.schema.as_mut(),
        RefOr::Ref(_) => None,
    });
    parameters.chain(contents)
}

impl Inlined {
    fn replace_in(&self, schema: &mut RefOr<Schema>) {
        match schema {
            RefOr::Ref(reference) => {
                if let Some(replaced) = self.replacement(reference) {
                    *schema = replaced;
                }
            }
            RefOr::T(Schema::Object(object)) => self.replace_in_object(object),
            RefOr::T(Schema::Array(array)) => {
                if let ArrayItems::RefOrSchema(items) = &mut array.items {
                    self.replace_in(items);
                }
            }
            RefOr::T(Schema::OneOf(one_of)) => one_of.items.iter_mut().for_each(|item| self.replace_in(item)),
            RefOr::T(Schema::AllOf(all_of)) => all_of.items.iter_mut().for_each(|item| self.replace_in(item)),
            RefOr::T(Schema::AnyOf(any_of)) => any_of.items.iter_mut().for_each(|item| self.replace_in(item)),
            RefOr::T(_) => {}
        }
    }

    fn replace_in_object(&self, object: &mut Object) {
        // The schema of a parameter is written out already, and still has the mark.
        *object = without_mark(std::mem::take(object));
        object.required.retain(|field| {
            let replacement = object.properties.get(field).and_then(name).and_then(|name| self.0.get(&name));
            !matches!(replacement, Some(Replacement::Field(_)))
        });
        object.properties.values_mut().for_each(|property| self.replace_in(property));
        if let Some(AdditionalProperties::RefOr(values)) = object.additional_properties.as_deref_mut() {
            self.replace_in(values);
        }
    }

    /// The replacement of a reference, with the description and the default of the reference.
    fn replacement(&self, reference: &Ref) -> Option<RefOr<Schema>> {
        match self.0.get(&name(&RefOr::Ref(reference.clone()))?)? {
            Replacement::Field(of) => {
                let mut reference = reference.clone();
                reference.ref_location = Ref::from_schema_name(of).ref_location;
                let inner = self.replacement(&reference);
                Some(inner.unwrap_or(RefOr::Ref(reference)))
            }
            Replacement::Schema(object) => {
                let mut object = object.clone();
                if !reference.description.is_empty() {
                    object.description = Some(reference.description.clone());
                }
                if reference.default.is_some() {
                    object.default.clone_from(&reference.default);
                }
                Some(RefOr::T(Schema::Object(*object)))
            }
        }
    }
}
