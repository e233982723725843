//! Responses with a JSON body, and their headers.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    error::{Error, Result},
    http::{Problem, etag},
};

/// 200 with a JSON body.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

/// 200 with a JSON body and the strong entity tag of a revision.
#[derive(Debug, Clone)]
pub struct Tagged<T>(pub T, pub i64);

/// 201 with a JSON body.
#[derive(Debug, Clone)]
pub struct Created<T> {
    pub body: T,
    /// The path of what was created.
    pub location: Option<String>,
    /// The revision, for the entity tag.
    pub revision: Option<i64>,
}

/// A response that can be stored and sent again.
#[derive(Debug, Clone)]
pub struct Replayable {
    pub status: StatusCode,
    /// Headers except the content type.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// JSON.
    pub body: String,
}

/// A response with a JSON body, before it is turned into bytes or stored.
pub trait JsonResponse {
    fn to_replayable(&self) -> Result<Replayable>;
}

impl<T: Serialize> JsonResponse for Json<T> {
    fn to_replayable(&self) -> Result<Replayable> {
        Replayable::new(StatusCode::OK, &self.0, None, None)
    }
}

impl<T: Serialize> JsonResponse for Tagged<T> {
    fn to_replayable(&self) -> Result<Replayable> {
        Replayable::new(StatusCode::OK, &self.0, None, Some(self.1))
    }
}

impl<T: Serialize> JsonResponse for Created<T> {
    fn to_replayable(&self) -> Result<Replayable> {
        Replayable::new(StatusCode::CREATED, &self.body, self.location.as_deref(), self.revision)
    }
}

macro_rules! into_response {
    ($($name:ident),+) => {
        $(impl<T: Serialize> IntoResponse for $name<T> {
            fn into_response(self) -> Response {
                match self.to_replayable() {
                    Ok(response) => response.into_response(),
                    Err(error) => Problem::from(error).into_response(),
                }
            }
        })+
    };
}
into_response!(Json, Tagged, Created);

impl Replayable {
    pub(super) fn new(
        status: StatusCode,
        body: &impl Serialize,
        location: Option<&str>,
        revision: Option<i64>,
    ) -> Result<Self> {
        let mut headers = Vec::new();
        if let Some(path) = location {
            headers.push((header::LOCATION, HeaderValue::from_str(path).map_err(Error::internal)?));
        }
        headers.extend(revision.map(|revision| (header::ETAG, etag(revision))));
        Ok(Self { status, headers, body: serde_json::to_string(body).map_err(Error::internal)? })
    }

    /// The response to a repeated request.
    pub fn again(self) -> Response {
        let mut response = self.into_response();
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
        response
    }
}

impl IntoResponse for Replayable {
    fn into_response(self) -> Response {
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/json")], self.body).into_response();
        response.headers_mut().extend(self.headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_thing_has_a_location_and_an_entity_tag() {
        let created = Created { body: 1, location: Some("/things/7".to_owned()), revision: Some(3) };
        let response = created.into_response();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(response.headers()[header::LOCATION], "/things/7");
        assert_eq!(response.headers()[header::ETAG], "\"3\"");
    }

    #[test]
    fn a_replayed_response_is_marked() {
        let response = Json("x").to_replayable().unwrap().again();
        assert_eq!(response.headers()["idempotent-replayed"], "true");
        assert!(!response.headers().contains_key(header::ETAG));
    }
}
