//! The descriptions of parameters that many operations have. `#[utoipa::path(params(…))]` contains the type that reads them.

use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        ObjectBuilder, Ref, RefOr, Required, Schema, SchemaFormat, Type,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
    },
};

use crate::{
    http::{IdPath, IdempotencyKey, IfMatch, IfNoneMatch, TenantExportPath, TenantPath, TenantUserPath},
    types::{ExportId, PageLimit, TenantId, UserId},
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
            query_parameter("limit", limit, "The maximum number of items"),
            query_parameter(
                "cursor",
                text("cursor"),
                "Where the page begins: a value from the `Link` of the previous page, for the same list in the same order",
            ),
        ]
    }
}

/// `count` of a list.
#[derive(Debug)]
pub struct Counting;

impl IntoParams for Counting {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let count = ObjectBuilder::new().schema_type(Type::Boolean).default(Some(false.into()));
        vec![query_parameter(
            "count",
            count,
            "Whether the response has the header `x-total-count`: the number of items on all pages",
        )]
    }
}

impl IntoParams for TenantPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![id::<TenantId>()]
    }
}

impl IntoParams for TenantUserPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![path_parameter::<TenantId>("id", "The tenant"), path_parameter::<UserId>("user_id", "The user")]
    }
}

impl IntoParams for TenantExportPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![path_parameter::<TenantId>("id", "The tenant"), path_parameter::<ExportId>("export_id", "The export")]
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
        let description = "Makes it safe to repeat the request: within 24 hours, another request with the same key and the \
            same body is not processed again, and gets the first response";
        vec![header("idempotency-key", key, description)]
    }
}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let tags = text("entity-tags");
        vec![header("if-match", tags, "The change is made only if the current entity tag is one of these; `*` for any")]
    }
}

impl IntoParams for IfNoneMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let tags = text("entity-tags");
        vec![header(
            "if-none-match",
            tags,
            "The response is 304 without a body if the current entity tag is one of these",
        )]
    }
}

/// Query parameters may have an empty value, which counts as absent in [`crate::http::QueryReader`].
pub(super) fn allow_empty_values(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.parameter_in == ParameterIn::Query
            && parameter.required != Required::True
        {
            // utoipa has no field for it.
            parameter.extensions.get_or_insert_default().insert("allowEmptyValue".to_owned(), true.into());
        }
    }
}

/// The path parameter `id`.
fn id<T: ToSchema>() -> Parameter {
    path_parameter::<T>("id", "The id")
}

fn path_parameter<T: ToSchema>(name: &str, description: &str) -> Parameter {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
    parameter.schema(Some(named::<T>())).description(Some(description)).build()
}

/// A reference to a component.
pub fn named<T: ToSchema>() -> Ref {
    Ref::from_schema_name(T::name())
}

/// The schema of a line of text, such as a search.
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
    let schema = schema.into();
    // Several values are separated by commas; without this, they would be repeated parameters.
    let explode = matches!(schema, RefOr::T(Schema::Array(_))).then_some(false);
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .schema(Some(schema))
        .explode(explode)
        .description(Some(description))
        .build()
}
