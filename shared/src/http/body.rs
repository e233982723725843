//! JSON bodies: limited in size, parsed strictly, and rejected with all errors at once, each with its JSON pointer.

use std::ops::ControlFlow;

use axum::{
    body::{Body, HttpBody},
    extract::{FromRequest, OptionalFromRequest, Request},
    http::header::CONTENT_TYPE,
};
use std::borrow::Cow;

use deserr::{DeserializeError, Deserr, ErrorKind, IntoValue, MergeWithError, Value, ValueKind, ValuePointerRef};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use utoipa::{
    __dev::ComposeSchema,
    ToSchema,
    openapi::{Ref, RefOr, Schema},
};

use crate::{
    error::{Error, InputError, Location},
    http::Problem,
    types::{FaultCode, InvalidValue, ValueErrors},
};

/// The maximum size of a body.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// The error about text that PostgreSQL cannot store.
pub(super) fn null_character() -> InvalidValue {
    InvalidValue::new(FaultCode::InvalidCharacter, "must not contain the character U+0000")
}

/// A JSON body of a type that derives [`Deserr`] with [`BodyErrors`] as its error.
#[derive(Debug, Clone)]
pub struct JsonBody<T> {
    pub value: T,
    /// The bytes of the body, for its fingerprint.
    pub bytes: bytes::Bytes,
}

impl<S: Send + Sync, T: Deserr<BodyErrors>> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
            let (media_type, parameters) = value.split_once(';').unwrap_or((value, ""));
            let media_type = media_type.trim().to_ascii_lowercase();
            let parameters = parameters.trim().to_ascii_lowercase();
            (media_type == "application/json" || media_type == "application/merge-patch+json")
                && (parameters.is_empty() || parameters.replace('"', "") == "charset=utf-8")
        });
        if !is_json {
            return Err(Problem::unsupported_media_type());
        }
        let bytes = read(request.into_body()).await?;
        let mut json: serde_json::Value = serde_json::from_slice(&bytes)
            .map_err(|error| Error::Malformed(format!("The body is not JSON: {error}")))?;
        convert_whole_numbers(&mut json);
        let null_characters = null_characters(&json);
        match deserr::deserialize::<T, _, BodyErrors>(json) {
            Ok(value) if null_characters.is_empty() => Ok(Self { value, bytes }),
            parsed => {
                let mut errors = parsed.err().map(|errors| errors.0).unwrap_or_default();
                // The value is invalid in any case; one error about it is enough.
                errors.retain(|error| null_characters.iter().all(|other| other.location != error.location));
                errors.extend(null_characters);
                Err(Error::Invalid(errors).into())
            }
        }
    }
}

/// A request without a body, and without a media type, has none.
impl<S: Send + Sync, T: Deserr<BodyErrors>> OptionalFromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        if request.headers().contains_key(CONTENT_TYPE) || !request.body().is_end_stream() {
            return <Self as FromRequest<S>>::from_request(request, state).await.map(Some);
        }
        Ok(None)
    }
}

/// Converts floats with an integer value to integers. Whether a number is an integer depends on its value and not on its
/// notation (RFC 8259, section 6; JSON Schema), and some languages write 5 as `5.0`. Beyond 2^53 floats do not represent
/// every integer, so that they are not converted.
fn convert_whole_numbers(json: &mut serde_json::Value) {
    const EXACT: f64 = 9_007_199_254_740_991.0;
    match json {
        serde_json::Value::Number(number) if number.is_f64() => {
            if let Some(float) = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT) {
                #[expect(clippy::cast_possible_truncation, reason = "it is an integer below 2^53")]
                let whole = float as i64;
                *number = whole.into();
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(convert_whole_numbers),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(convert_whole_numbers),
        _ => {}
    }
}

/// Errors about the strings with a character that PostgreSQL stores neither in `text` nor in `jsonb`. They are found here and not
/// in the types of the fields, so that no type can forget them.
fn null_characters(json: &serde_json::Value) -> Vec<InputError> {
    fn collect(value: &serde_json::Value, location: ValuePointerRef<'_>, errors: &mut Vec<InputError>) {
        match value {
            serde_json::Value::String(text) if text.contains('\0') => {
                errors.extend(BodyErrors::at(location, null_character()).0);
            }
            serde_json::Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    collect(item, location.push_index(index), errors);
                }
            }
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    collect(value, location.push_key(name), errors);
                }
            }
            _ => {}
        }
    }
    let mut errors = Vec::new();
    collect(json, ValuePointerRef::Origin, &mut errors);
    errors
}

async fn read(body: Body) -> Result<bytes::Bytes, Problem> {
    match Limited::new(body, MAX_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::too_large(MAX_BYTES)),
        Err(_) => Err(Error::Malformed("The body is incomplete".to_owned()).into()),
    }
}

/// The errors in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyErrors(Vec<InputError>);

impl BodyErrors {
    pub(super) fn at(location: ValuePointerRef<'_>, error: InvalidValue) -> Self {
        Self(vec![InputError::new(Location::Body(pointer(location)), error)])
    }
}

impl ValueErrors for BodyErrors {
    fn invalid(error: InvalidValue, location: ValuePointerRef<'_>) -> Self {
        Self::at(location, error)
    }
}

/// The JSON pointer (RFC 6901) of a location.
fn pointer(location: ValuePointerRef<'_>) -> String {
    match location {
        ValuePointerRef::Origin => String::new(),
        ValuePointerRef::Key { key, prev } => {
            format!("{}/{}", pointer(*prev), key.replace('~', "~0").replace('/', "~1"))
        }
        ValuePointerRef::Index { index, prev } => format!("{}/{index}", pointer(*prev)),
    }
}

impl DeserializeError for BodyErrors {
    fn error<V: IntoValue>(
        errors: Option<Self>,
        error: ErrorKind<'_, V>,
        location: ValuePointerRef<'_>,
    ) -> ControlFlow<Self, Self> {
        let new = match error {
            ErrorKind::MissingField { field } => Self::at(location.push_key(field), required()),
            ErrorKind::UnknownKey { key, accepted } => {
                let shown: String = key.chars().take(64).collect();
                Self::at(location.push_key(&shown), unknown_field(accepted))
            }
            ErrorKind::IncorrectValueKind { actual, accepted } => {
                let accepted: Vec<_> = accepted.iter().map(|kind| kind_name(*kind)).collect();
                Self::at(location, wrong_type(&accepted.join(" or "), actual.kind()))
            }
            ErrorKind::UnknownValue { accepted, .. } => Self::at(location, InvalidValue::one_of(accepted)),
            ErrorKind::BadSequenceLen { expected, .. } => {
                let detail = format!("must have {expected} elements");
                Self::at(location, InvalidValue::new(FaultCode::InvalidLength, detail))
            }
            ErrorKind::Unexpected { msg } => Self::at(location, InvalidValue::format(msg)),
        };
        let mut all = errors.unwrap_or(Self(Vec::new()));
        all.0.extend(new.0);
        ControlFlow::Continue(all)
    }
}

/// A field or parameter that is missing.
pub(super) fn required() -> InvalidValue {
    InvalidValue::new(FaultCode::Required, "is required")
}

/// A field that the body's type does not have.
pub(super) fn unknown_field(expected: &[&str]) -> InvalidValue {
    InvalidValue::new(FaultCode::UnknownName, format!("unknown field; expected one of {}", expected.join(", ")))
}

/// A value of another JSON type; `expected` is such as "a string or null".
pub(super) fn wrong_type(expected: &str, actual: ValueKind) -> InvalidValue {
    InvalidValue::new(FaultCode::WrongType, format!("must be {expected}, not {}", kind_name(actual)))
}

fn kind_name(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Null => "null",
        ValueKind::Boolean => "a boolean",
        ValueKind::Integer | ValueKind::NegativeInteger => "an integer",
        ValueKind::Float => "a number with a fraction or above 2^53",
        ValueKind::String => "a string",
        ValueKind::Sequence => "an array",
        ValueKind::Map => "an object",
    }
}

impl MergeWithError<Self> for BodyErrors {
    fn merge(errors: Option<Self>, other: Self, _: ValuePointerRef<'_>) -> ControlFlow<Self, Self> {
        let mut all = errors.unwrap_or(Self(Vec::new()));
        all.0.extend(other.0);
        ControlFlow::Continue(all)
    }
}

/// A field that may be absent, and otherwise has the type `T`. `null` is not the same as absent.
///
/// In the description of the API a field has the schema of its type, and is not required: see `http::openapi::inline`.
#[derive(Debug, Clone, Copy)]
pub struct Field<T>(pub Option<T>);

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: ToSchema> ComposeSchema for Field<T> {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        Ref::from_schema_name(T::name()).into()
    }
}

impl<T: ToSchema> ToSchema for Field<T> {
    fn name() -> Cow<'static, str> {
        "Field".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

impl<T: Deserr<BodyErrors>> Deserr<BodyErrors> for Field<T> {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, BodyErrors> {
        T::deserialize_from_value(value, location).map(|value| Self(Some(value)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        http::LimitsBody,
        types::{Country, LimitsPatch, Slug},
    };

    #[derive(Debug, Deserr)]
    #[deserr(error = BodyErrors, deny_unknown_fields)]
    struct Thing {
        #[expect(dead_code, reason = "the test only parses it")]
        slug: Slug,
        #[expect(dead_code, reason = "the test only parses it")]
        country: Country,
        #[deserr(default)]
        limits: LimitsBody,
    }

    fn rejected(json: serde_json::Value) -> Vec<String> {
        let Err(errors) = deserr::deserialize::<Thing, _, BodyErrors>(json) else { return vec![] };
        let mut places: Vec<_> = errors
            .0
            .into_iter()
            .map(|error| if let Location::Body(pointer) = error.location { pointer } else { "elsewhere".to_owned() })
            .collect();
        places.sort();
        places
    }

    #[test]
    fn all_errors_of_a_body_are_reported_with_their_pointers() {
        let body = json!({"slug": "A", "limits": {"max_agents": -1, "max_contacts": "7", "a/b~": 1}, "colour": null});
        assert_eq!(
            rejected(body),
            ["/colour", "/country", "/limits/a~1b~0", "/limits/max_agents", "/limits/max_contacts", "/slug"]
        );
        assert_eq!(rejected(json!([])), [""]);
    }

    #[test]
    fn a_float_with_an_integer_value_is_an_integer() {
        let mut json = json!([5.0, {"a": -7e3}, 1.5, 1e300, "5.0", 0.0]);
        convert_whole_numbers(&mut json);
        assert_eq!(json.to_string(), r#"[5,{"a":-7000},1.5,1e+300,"5.0",0]"#);
    }

    #[test]
    fn an_absent_limit_differs_from_a_limit_of_null() {
        let body = json!({"slug": "ab", "country": "ID", "limits": {"max_agents": null, "max_contacts": 7}});
        let thing = deserr::deserialize::<Thing, _, BodyErrors>(body).unwrap();
        let patch = LimitsPatch::from(thing.limits);
        assert_eq!(patch.max_agents, Some(None));
        assert_eq!(patch.max_contacts, Some(Some(7)));
        assert_eq!(patch.max_messages_month, None);
        assert_eq!(
            rejected(json!({"slug": "ab", "country": "ID", "limits": {"max_agents": 1e300}})),
            ["/limits/max_agents"]
        );
        assert_eq!(
            rejected(json!({"slug": "ab", "country": "ID", "limits": {"max_agents": u64::MAX}})),
            ["/limits/max_agents"]
        );
    }
}
