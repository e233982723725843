//! The extractor that is the check: a handler that names [`SuperAdmin`] is not called without one.

use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    http::{header::AUTHORIZATION, request::Parts},
};

use super::TokenVerifier;
use crate::{error::Error, http::Problem};

/// An operator of the platform whose token was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuperAdmin {
    /// The token's subject: the id of a super-admin of ours, or the subject at the identity provider.
    pub id: String,
}

impl<S> FromRequestParts<S> for SuperAdmin
where
    S: Send + Sync,
    TokenVerifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).ok_or(Error::NoCredentials)?;
        let token = header
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or(Error::Unauthenticated("The Authorization header is not of the form: Bearer <token>"))?;
        let admin = TokenVerifier::from_ref(state).verify(token).await?;
        tracing::Span::current().record("admin.id", &admin.id);
        Ok(admin)
    }
}

/// For a handler that has something to say to anyone: `None` where no credentials were sent. Bad ones are refused as ever.
impl<S> OptionalFromRequestParts<S> for SuperAdmin
where
    S: Send + Sync,
    TokenVerifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Problem> {
        if !parts.headers.contains_key(AUTHORIZATION) {
            return Ok(None);
        }
        <Self as FromRequestParts<S>>::from_request_parts(parts, state).await.map(Some)
    }
}
