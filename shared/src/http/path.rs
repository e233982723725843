//! Path parameters.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

use crate::http::Problem;
use crate::{
    error::{Error, InputError, Location},
    types::{InvalidValue, TenantId},
};

/// What the path parameter `id` names, by its id. What is not a UUID is refused with 400.
#[derive(Debug, Clone, Copy)]
pub struct IdPath<T>(pub T);

impl<S: Send + Sync, T: FromStr<Err = InvalidValue>> FromRequestParts<S> for IdPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let fault = |detail: String| Error::Invalid(vec![InputError { location: Location::Path("id"), detail }]);
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| fault("must be a UUID in UTF-8".to_owned()))?;
        Ok(Self(text.parse().map_err(|error: InvalidValue| fault(error.to_string()))?))
    }
}

/// The tenant that the path parameter `id` names, as [`IdPath`].
#[derive(Debug, Clone, Copy)]
pub struct TenantPath(pub TenantId);

impl<S: Send + Sync> FromRequestParts<S> for TenantPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let IdPath(id) = IdPath::from_request_parts(parts, state).await?;
        tracing::Span::current().record("tenant.id", tracing::field::display(id));
        Ok(Self(id))
    }
}
