//! Telling a load balancer, by the status code, whether to send anyone here.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::error::{Error, Result};

/// A JSON answer with 200 where the platform can be used, and with 503 where it cannot: the body tells why, and is no
/// problem details.
pub fn availability(is_available: bool, body: &impl Serialize) -> Result<Response> {
    let status = if is_available { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let json = serde_json::to_vec(body).map_err(Error::internal)?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], json).into_response())
}
