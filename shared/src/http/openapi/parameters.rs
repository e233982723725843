//! How the parameters that many operations take are described. The type that reads them stands for them in
//! `#[utoipa::path(params(…))]`.

use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        ObjectBuilder, Ref, RefOr, Required, Schema, SchemaFormat, Type,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
    },
};

use crate::{
    http::{IdPath, IdempotencyKey, IfMatch, TenantPath},
    types::{PageLimit, TenantId},
};

/// `limit` and `cursor` of a list.
#[derive(Debug)]
pub struct Paging;

impl IntoParams for Paging {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let limit = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(PageLimit::MAX))
            .default(Some(PageLimit::default().get().into()));
        vec![
            query_parameter("limit", limit, "How many at the most"),
            query_parameter(
                "cursor",
                text("cursor"),
                "Where the page before ended, from its `Link`; good for the same list in the same order",
            ),
        ]
    }
}

impl IntoParams for TenantPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![id::<TenantId>()]
    }
}

impl<T: ToSchema> IntoParams for IdPath<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![id::<T>()]
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let key = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(255))
            .pattern(Some("^[!-~]([ -~]*[!-~])?$"));
        let description = "Sent again with the same key and body within 24 hours, the request is not done again, and answered as \
            it was the first time";
        vec![header("idempotency-key", key, description)]
    }
}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let tags = text("entity-tags");
        vec![header(
            "if-match",
            tags,
            "Only if the entity tag of what is there is this one, or one of these; `*` for any",
        )]
    }
}

/// Says that parameters of a query may be there without a value, which [`crate::http::QueryReader`] takes as absent.
pub(super) fn let_be_empty(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.parameter_in == ParameterIn::Query
            && parameter.required != Required::True
        {
            // The library has no field for it.
            parameter.extensions.get_or_insert_default().insert("allowEmptyValue".to_owned(), true.into());
        }
    }
}

/// The path parameter `id`.
fn id<T: ToSchema>() -> Parameter {
    let id = ParameterBuilder::new().name("id").parameter_in(ParameterIn::Path).required(Required::True);
    id.schema(Some(named::<T>())).description(Some("Which one")).build()
}

/// A schema that the document has under its name.
pub fn named<T: ToSchema>() -> Ref {
    Ref::from_schema_name(T::name())
}

/// The schema of a line of text that people write, such as a search.
pub fn single_line_text() -> ObjectBuilder {
    text("single-line").max_length(Some(120))
}

fn text(format: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::Custom(format.to_owned())))
}

/// An optional query parameter.
pub fn query_parameter(name: &str, schema: impl Into<RefOr<Schema>>, description: &str) -> Parameter {
    optional(ParameterIn::Query, name, schema, description)
}

fn header(name: &str, schema: impl Into<RefOr<Schema>>, description: &str) -> Parameter {
    optional(ParameterIn::Header, name, schema, description)
}

fn optional(place: ParameterIn, name: &str, schema: impl Into<RefOr<Schema>>, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .schema(Some(schema))
        .description(Some(description))
        .build()
}
