//! Authentication of a request by its bearer token.

use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    http::{Method, header::AUTHORIZATION, request::Parts},
};

use crate::{
    auth::Identity,
    error::Error,
    http::{HandlerArgument, Problem, RequestInfo},
    super_admins::AuthContext,
};

/// The sender of a request whose token is valid. What the caller may do is not checked yet: see the extractors in
/// the module `authorization`.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(super) identity: Identity,
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

/// For a route that also answers requests without credentials: they yield `None`. Invalid credentials are still an error.
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

impl HandlerArgument for Option<Caller> {}
