//! Path parameters.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

use crate::http::Problem;
use crate::{
    error::{Error, InputError, Location},
    types::{ExportId, InvalidValue, TenantId, UserId},
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

/// The path parameters `id` of a tenant and `user_id` of one of its users.
#[derive(Debug, Clone, Copy)]
pub struct TenantUserPath {
    pub tenant_id: TenantId,
    pub user_id: UserId,
}

impl<S: Send + Sync> FromRequestParts<S> for TenantUserPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // Values that are not UTF-8 are no ids either.
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let (tenant, user) = path.map(|Path(ids)| ids).unwrap_or_default();
        let mut errors = Vec::new();
        let tenant_id = parse("id", &tenant, &mut errors);
        let user_id = parse("user_id", &user, &mut errors);
        let (Some(tenant_id), Some(user_id)) = (tenant_id, user_id) else { return Err(Error::Invalid(errors).into()) };
        tracing::Span::current().record("tenant.id", tracing::field::display(tenant_id));
        Ok(Self { tenant_id, user_id })
    }
}

/// The path parameters `id` of a tenant and `export_id` of one of its exports.
#[derive(Debug, Clone, Copy)]
pub struct TenantExportPath {
    pub tenant_id: TenantId,
    pub export_id: ExportId,
}

impl<S: Send + Sync> FromRequestParts<S> for TenantExportPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let (tenant, export) = path.map(|Path(ids)| ids).unwrap_or_default();
        let mut errors = Vec::new();
        let tenant_id = parse("id", &tenant, &mut errors);
        let export_id = parse("export_id", &export, &mut errors);
        let (Some(tenant_id), Some(export_id)) = (tenant_id, export_id) else {
            return Err(Error::Invalid(errors).into());
        };
        tracing::Span::current().record("tenant.id", tracing::field::display(tenant_id));
        Ok(Self { tenant_id, export_id })
    }
}

fn parse<T: FromStr<Err = InvalidValue>>(name: &'static str, text: &str, errors: &mut Vec<InputError>) -> Option<T> {
    let note = |error| errors.push(InputError::new(Location::Path(name), error));
    text.parse().map_err(note).ok()
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
