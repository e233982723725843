//! Responses for load balancers, which look only at the status code.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::error::{Error, Result};

/// A JSON body with the status 200 if the platform is available, else 503. The body is the same report in both cases, never
/// problem details.
pub fn availability(is_available: bool, body: &impl Serialize) -> Result<Response> {
    let status = if is_available { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let json = serde_json::to_vec(body).map_err(Error::internal)?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], json).into_response())
}
