//! Who sent a request, by the bearer token that came with it. What they may do is another question: see
//! [`authority`](super::authority).

use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    http::{Method, header::AUTHORIZATION, request::Parts},
};

use super::Gate;
use crate::{
    domain::{AdminId, OperatorRole},
    error::Error,
    http::{Problem, RequestInfo},
};

/// Whom a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A super-admin who signed in here.
    Own {
        /// Who.
        id: AdminId,
        /// The epoch that the session belongs to.
        session_epoch: i32,
    },
    /// An operator who signed in at the identity provider.
    Provider {
        /// Who, as the provider says.
        subject: String,
        /// What they may do, as the provider says.
        role: OperatorRole,
    },
}

impl Identity {
    /// As logs and the audit log name them, where no more is known.
    pub fn name(&self) -> String {
        match self {
            Self::Own { id, .. } => id.to_string(),
            Self::Provider { subject, .. } => subject.clone(),
        }
    }
}

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
    Gate: FromRef<S>,
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
        let identity = Gate::from_ref(state).verifier.verify(token).await?;
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
    Gate: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Problem> {
        if !parts.headers.contains_key(AUTHORIZATION) {
            return Ok(None);
        }
        <Self as FromRequestParts<S>>::from_request_parts(parts, state).await.map(Some)
    }
}
