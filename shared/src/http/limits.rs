//! The field `limits` of JSON bodies.

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use utoipa::ToSchema;

use crate::{
    http::{BodyErrors, Field, body::wrong_type},
    types::{Limit, LimitsPatch, MAX_LIMIT, parse_limit},
};

/// Limits, each of which may be absent, an integer, or `null` for unlimited.
#[derive(Debug, Clone, Copy, Default, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names of the fields in JSON")]
pub struct LimitsBody {
    /// Active users.
    #[deserr(default)]
    max_agents: Field<LimitValue>,
    /// Contacts.
    #[deserr(default)]
    max_contacts: Field<LimitValue>,
    /// Messages in a calendar month in UTC.
    #[deserr(default)]
    max_messages_month: Field<LimitValue>,
}

impl From<LimitsBody> for LimitsPatch {
    fn from(body: LimitsBody) -> Self {
        Self {
            max_agents: body.max_agents.0.map(|value| value.0),
            max_contacts: body.max_contacts.0.map(|value| value.0),
            max_messages_month: body.max_messages_month.0.map(|value| value.0),
        }
    }
}

/// An integer, or `null` for unlimited.
#[derive(Debug, Clone, Copy)]
struct LimitValue(Limit);

inline_schema!(
    LimitValue,
    Integer { format: "int64", nullable: utoipa::openapi::Type::Integer, minimum: 0, maximum: MAX_LIMIT, example: 25 }
);

impl Deserr<BodyErrors> for LimitValue {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, BodyErrors> {
        let number = match value {
            Value::Null => return Ok(Self(None)),
            Value::Integer(number) => i64::try_from(number).unwrap_or(i64::MAX),
            Value::NegativeInteger(number) => number,
            other => {
                return Err(BodyErrors::at(location, wrong_type("an integer or null", other.kind())));
            }
        };
        let number = parse_limit(number).map_err(|error| BodyErrors::at(location, error))?;
        Ok(Self(Some(number)))
    }
}
