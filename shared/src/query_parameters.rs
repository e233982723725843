//! The macro that declares query parameters.

/// Query parameters, declared once: for parsing and for the description of the API.
///
/// ```ignore
/// query_parameters! {
///     /// The filters of a list of tenants.
///     pub struct TenantFilter {
///         /// Only tenants with this status
///         pub status: Option<TenantStatus>,
///         /// The tenant of the users
///         pub tenant_id: Required<TenantId>,
///         /// Other parameters, defined by this macro too.
///         pub page: OtherParameters,
///     }
/// }
/// ```
///
/// The doc comments of the fields are their descriptions in the API, `#[example = "…"]` after them is their example. Inside this crate the definition begins with
/// `#![cfg(feature = "http")]` where the struct is used without the feature too. Types of parameters implement
/// [`ParameterValue`](crate::types::ParameterValue). The struct is read with
/// [`Query<TenantFilter>`](crate::http::Query), or as the filter of a [`ListRequest`](crate::http::ListRequest) after
/// `impl ListParameters for TenantFilter { const LIST: &str = "tenants"; }`.
#[macro_export]
macro_rules! query_parameters {
    (
        $(#![$condition:meta])?
        $(#[$($meta:tt)*])*
        $visibility:vis struct $name:ident {
            $($(#[doc = $doc:literal])* $(#[example = $example:literal])? $field_visibility:vis $field:ident: $kind:ty),* $(,)?
        }
    ) => {
        $(#[$($meta)*])*
        $visibility struct $name {
            $($(#[doc = $doc])* $field_visibility $field: $kind),*
        }

        $(#[$condition])?
        impl $crate::http::QueryParameters for $name {
            fn take_all(_query: &mut $crate::http::QueryReader) -> Option<Self> {
                // All are taken before the first absent one ends the function, so that every error is recorded.
                $(let $field = <$kind as $crate::http::QueryField>::take(_query, stringify!($field));)*
                Some(Self { $($field: $field?),* })
            }

            fn describe_all() -> Vec<utoipa::openapi::path::Parameter> {
                let all: Vec<Vec<utoipa::openapi::path::Parameter>> = vec![
                    $($crate::http::with_example(
                        <$kind as $crate::http::QueryField>::describe(
                            stringify!($field),
                            concat!($($doc, "\n"),*).trim().replace("\n ", "\n").as_str(),
                        ),
                        None$(.or(Some($example)))?,
                    )),*
                ];
                all.into_iter().flatten().collect()
            }
        }

        $(#[$condition])?
        impl $crate::http::QueryField for $name {
            fn take(query: &mut $crate::http::QueryReader, _: &'static str) -> Option<Self> {
                <Self as $crate::http::QueryParameters>::take_all(query)
            }

            fn describe(_: &str, _: &str) -> Vec<utoipa::openapi::path::Parameter> {
                <Self as $crate::http::QueryParameters>::describe_all()
            }
        }

        $(#[$condition])?
        impl utoipa::IntoParams for $name {
            fn into_params(
                _: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
            ) -> Vec<utoipa::openapi::path::Parameter> {
                <Self as $crate::http::QueryParameters>::describe_all()
            }
        }
    };
}
