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

/// The path parameter `id`. A value that is not a UUID is rejected with 400.
#[derive(Debug, Clone, Copy)]
pub struct IdPath<T>(pub T);

impl<S: Send + Sync, T: FromStr<Err = InvalidValue>> FromRequestParts<S> for IdPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let invalid = |error| Error::Invalid(vec![InputError::new(Location::Path("id"), error)]);
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| invalid(InvalidValue::format("must be a UUID in UTF-8")))?;
        Ok(Self(text.parse().map_err(invalid)?))
    }
}

/// The path parameter `id` of a tenant, which is recorded in the span of the request.
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
