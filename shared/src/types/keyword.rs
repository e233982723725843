//! Macros for types that are text: in JSON, in the database, in parameters.

/// Items that exist only with the feature `http`.
macro_rules! cfg_http {
    ($($item:item)+) => { $(#[cfg(feature = "http")] $item)+ };
}

/// An enumeration whose variants are written as words. The comment of each variant is part of the description of the API.
macro_rules! keyword_enum {
    (
        $(#[doc = $doc:literal])*
        $(#[cfg_attr($($attribute:tt)*)])*
        $(#[derive($($derived:tt)*)])*
        $name:ident { $($(#[doc = $variant_doc:literal])+ $variant:ident = $text:tt),+ $(,)? }
    ) => {
        // `$text` is a token and not a literal, because utoipa does not read a captured literal in `rename`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        #[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
        // The description of the API explains every word.
        #[cfg_attr(feature = "http", schema(description = concat!(
            $($doc, "\n",)* "\n" $(, "- `", $text, "`:" $(, $variant_doc)+, "\n")+
        )))]
        $(#[cfg_attr($($attribute)*)])*
        $(#[derive($($derived)*)])*
        $(#[doc = $doc])*
        pub enum $name { $($(#[doc = $variant_doc])+ #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// Every variant.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in JSON and in the database.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The comment of the variant.
            #[cfg(feature = "http")]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($variant_doc),+).trim_start()),+ }
            }

            /// The reverse of [`Self::as_str`].
            pub fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::types::InvalidValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::from_text(text).ok_or_else(|| crate::types::InvalidValue::one_of(&[$($text),+]))
            }
        }

        parsed_from_string!($name, str::parse);
        named_parameter!($name);
        text_in_sql!($name);
    };
}

/// A type that holds text which a function has validated: `parse` turns a `&str` into `Result<String, InvalidValue>`. In the
/// description of the API it is not a component of its own: its schema is written out wherever it is used.
///
/// ```ignore
/// string_type! {
///     /// A name that people read.
///     TenantName {
///         parse: |text| single_line(text, 1, 120),
///         schema: { format: "single-line", min_length: 1, max_length: 120, example: "Kopi Kenangan" },
///     }
/// }
/// ```
macro_rules! string_type {
    (
        $(#[$doc:meta])*
        $name:ident { parse: $parse:expr, schema: { $($keyword:ident: $value:expr),* $(,)? } $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Validates the text.
            pub fn parse(text: &str) -> Result<Self, $crate::types::InvalidValue> {
                let parse: fn(&str) -> Result<String, $crate::types::InvalidValue> = $parse;
                parse(text).map(Self)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl tokio_postgres::types::ToSql for $name {
            fn to_sql(
                &self,
                kind: &tokio_postgres::types::Type,
                out: &mut bytes::BytesMut,
            ) -> Result<tokio_postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
                self.as_str().to_sql(kind, out)
            }

            fn accepts(kind: &tokio_postgres::types::Type) -> bool {
                <&str as tokio_postgres::types::ToSql>::accepts(kind)
            }

            tokio_postgres::types::to_sql_checked!();
        }

        parsed_from_string!($name, $name::parse);
        inline_schema!($name, String { $($keyword: $value),* });
        inline_parameter!($name, $name::parse);
    };
}

/// Reads a type from a JSON string by `parse`, a function from `&str` to `Result<Self, InvalidValue>`.
macro_rules! parsed_from_string {
    ($name:ty, $parse:expr) => {
        cfg_http! {
            impl<E: $crate::types::ValueErrors> deserr::Deserr<E> for $name {
                fn deserialize_from_value<V: deserr::IntoValue>(
                    value: deserr::Value<V>,
                    location: deserr::ValuePointerRef<'_>,
                ) -> Result<Self, E> {
                    let text = <String as deserr::Deserr<E>>::deserialize_from_value(value, location)?;
                    let parse: fn(&str) -> Result<Self, crate::types::InvalidValue> = $parse;
                    parse(&text).map_err(|error| E::invalid(error, location))
                }
            }
        }
    };
}

/// The schema of a type, which is written out wherever the type is used:
/// `inline_schema!(Slug, String { min_length: 2, pattern: "…" })`. `$kind` is the JSON type.
macro_rules! inline_schema {
    ($name:ty, $kind:ident { $($keyword:ident: $value:expr),* $(,)? }) => {
        cfg_http! {
            impl utoipa::PartialSchema for $name {
                fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                    let schema =
                        utoipa::openapi::ObjectBuilder::new().schema_type(utoipa::openapi::Type::$kind);
                    $(let schema = inline_schema!(@keyword schema $keyword $value);)*
                    $crate::types::inline(schema)
                }
            }
        }

        cfg_http! {
            impl utoipa::ToSchema for $name {}
        }
    };
    (@keyword $schema:ident format $value:expr) => {
        $schema.format(Some(utoipa::openapi::SchemaFormat::Custom($value.to_owned())))
    };
    (@keyword $schema:ident example $value:expr) => { $schema.examples([$value]) };
    (@keyword $schema:ident nullable $value:expr) => {
        $schema.schema_type(utoipa::openapi::schema::SchemaType::from_iter([$value, utoipa::openapi::Type::Null]))
    };
    (@keyword $schema:ident $keyword:ident $value:expr) => { $schema.$keyword(Some($value)) };
}

/// The value of a query parameter, of a type whose schema is a component of the API's description.
macro_rules! named_parameter {
    ($name:ty) => {
        cfg_http! {
            impl $crate::types::ParameterValue for $name {
                fn parse_parameter(text: &str) -> Result<Self, $crate::types::InvalidValue> {
                    text.parse()
                }

                fn parameter_schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                    utoipa::openapi::Ref::from_schema_name(<Self as utoipa::ToSchema>::name()).into()
                }
            }
        }
    };
}

/// The value of a query parameter, of a type whose schema is written out.
macro_rules! inline_parameter {
    ($name:ty, $parse:expr) => {
        cfg_http! {
            impl $crate::types::ParameterValue for $name {
                fn parse_parameter(text: &str) -> Result<Self, $crate::types::InvalidValue> {
                    let parse: fn(&str) -> Result<Self, crate::types::InvalidValue> = $parse;
                    parse(text)
                }

                fn parameter_schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                    <Self as utoipa::PartialSchema>::schema()
                }
            }
        }
    };
}

/// Reads and writes a `Copy` type with `as_str` and `FromStr` as text of PostgreSQL.
macro_rules! text_in_sql {
    ($name:ident) => {
        impl<'a> tokio_postgres::types::FromSql<'a> for $name {
            fn from_sql(
                kind: &tokio_postgres::types::Type,
                raw: &'a [u8],
            ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
                let text = <&str as tokio_postgres::types::FromSql>::from_sql(kind, raw)?;
                text.parse().map_err(|_| format!(concat!("unknown ", stringify!($name), " `{}`"), text).into())
            }

            fn accepts(kind: &tokio_postgres::types::Type) -> bool {
                <&str as tokio_postgres::types::FromSql>::accepts(kind)
            }
        }

        impl tokio_postgres::types::ToSql for $name {
            fn to_sql(
                &self,
                kind: &tokio_postgres::types::Type,
                out: &mut bytes::BytesMut,
            ) -> Result<tokio_postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
                self.as_str().to_sql(kind, out)
            }

            fn accepts(kind: &tokio_postgres::types::Type) -> bool {
                <&str as tokio_postgres::types::ToSql>::accepts(kind)
            }

            tokio_postgres::types::to_sql_checked!();
        }
    };
}

/// Describes in the API a type that is one of many words, with one of them as an example.
macro_rules! keyword_schema {
    ($name:ident, $words:expr, $example:literal, $description:literal) => {
        cfg_http! {
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
        }

        cfg_http! {
            impl utoipa::ToSchema for $name {}
        }
    };
}
