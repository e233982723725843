//! Enumerations that are written as words: in JSON, in the database, in parameters.

macro_rules! keyword_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        #[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        $(#[$doc])*
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As in JSON and in the database.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads what [`Self::as_str`] gives.
            pub fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        parsed_from_string!($name, str::parse);

        impl std::str::FromStr for $name {
            type Err = crate::types::InvalidValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::from_text(text).ok_or_else(|| crate::types::InvalidValue::one_of([$($text),+]))
            }
        }
    };
}

/// Reads a type from a JSON string by `parse`, a function from `&str` to `Result<Self, InvalidValue>`.
macro_rules! parsed_from_string {
    ($name:ty, $parse:expr) => {
        #[cfg(feature = "http")]
        impl<E: deserr::DeserializeError> deserr::Deserr<E> for $name {
            fn deserialize_from_value<V: deserr::IntoValue>(
                value: deserr::Value<V>,
                location: deserr::ValuePointerRef<'_>,
            ) -> Result<Self, E> {
                let text = <String as deserr::Deserr<E>>::deserialize_from_value(value, location)?;
                let parse: fn(&str) -> Result<Self, crate::types::InvalidValue> = $parse;
                parse(&text).map_err(|error| $crate::types::json_error::<E, V>(error, location))
            }
        }
    };
}

/// Describes in the API a type that is one of many words, with one of them as an example.
macro_rules! keyword_schema {
    ($name:ident, $words:expr, $example:literal, $description:literal) => {
        #[cfg(feature = "http")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .enum_values(Some($words))
                    .examples([$example])
                    .description(Some($description))
                    .into()
            }
        }

        #[cfg(feature = "http")]
        impl utoipa::ToSchema for $name {}
    };
}
