//! Values of parameters, and schemas that are written out where they are used.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type};

use crate::types::InvalidValue;

/// A value that a parameter can have.
pub trait ParameterValue: Sized {
    /// Whether a parameter that is given more than once is read as one with commas. Clients differ in how they send several
    /// values.
    const MAY_REPEAT: bool = false;

    fn parse_parameter(text: &str) -> Result<Self, InvalidValue>;

    fn parameter_schema() -> RefOr<Schema>;
}

impl ParameterValue for bool {
    fn parse_parameter(text: &str) -> Result<Self, InvalidValue> {
        text.parse().map_err(|_| InvalidValue::one_of(&["true", "false"]))
    }

    fn parameter_schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Boolean).into()
    }
}

impl ParameterValue for OffsetDateTime {
    fn parse_parameter(text: &str) -> Result<Self, InvalidValue> {
        Self::parse(text, &Rfc3339).map_err(|_| InvalidValue::format("must be a time such as 2026-11-24T09:30:00Z"))
    }

    fn parameter_schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

/// Marks a schema that is written out where it is used, instead of being a component. `http::document` removes the mark.
pub const INLINE: &str = "x-inline";

/// A schema with the mark [`INLINE`].
pub fn inline(schema: ObjectBuilder) -> RefOr<Schema> {
    let mut object = schema.build();
    object.extensions.get_or_insert_default().insert(INLINE.to_owned(), true.into());
    RefOr::T(Schema::Object(object))
}

/// The errors of a JSON body, as the plumbing of HTTP collects them.
pub trait ValueErrors: deserr::DeserializeError {
    /// The error about a value that its type rejects.
    fn invalid(error: InvalidValue, location: deserr::ValuePointerRef<'_>) -> Self;
}
