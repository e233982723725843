//! Who sent a request, by the bearer token that came with it. What they may do is another question: see
//! [`authority`](super::authority).

use crate::auth::Identity;
use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    http::{Method, header::AUTHORIZATION, request::Parts},
};

use crate::super_admins::AuthContext;
use crate::{
    error::Error,
    http::{Problem, RequestInfo},
};

/// Whoever sent a request, with a token that was verified. That says nothing yet of what they may do now.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Whom the token speaks for.
    pub(super) identity: Identity,
    /// The request.
    pub(super) request: RequestInfo,
    pub(super) method: Method,
    pub(super) path: String,
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    AuthContext: FromRef<S>,
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
        let identity = AuthContext::from_ref(state).verifier.verify(token).await?;
        tracing::Span::current().record("admin.id", identity.name());
        Ok(Self {
            identity,
            request: parts.extensions.get::<RequestInfo>().cloned().unwrap_or_default(),
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
        })
    }
}

/// For a handler that has something to say to anyone: `None` where no credentials were sent. Bad ones are refused as ever.
impl<S> OptionalFromRequestParts<S> for Caller
where
    S: Send + Sync,
    AuthContext: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Problem> {
        if !parts.headers.contains_key(AUTHORIZATION) {
            return Ok(None);
        }
        <Self as FromRequestParts<S>>::from_request_parts(parts, state).await.map(Some)
    }
}
