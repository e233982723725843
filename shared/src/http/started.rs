//! The response to a request that starts an operation: the same for every kind of operation.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{AllOfBuilder, ObjectBuilder, Ref, RefOr, Schema},
};

use crate::{
    error::{Error, Result},
    http::{BASE_PATH, JsonResponse, Problem, Replayable},
    types::OperationId,
};

/// The header with the path of the operation.
const OPERATION_LOCATION: HeaderName = HeaderName::from_static("operation-location");

/// 201 or 202 with a JSON body, in which the field `operation_id` names the operation that continues the work.
#[derive(Debug, Clone)]
pub struct Started<T> {
    /// Whether the request created the body (201), rather than changed it (202).
    pub created: bool,
    pub body: T,
    /// The path of what the operation changes.
    pub location: String,
    /// The revision, for the entity tag.
    pub revision: i64,
    pub operation_id: OperationId,
}

impl<T: Serialize> JsonResponse for Started<T> {
    fn to_replayable(&self) -> Result<Replayable> {
        let body = WithOperation { of: &self.body, operation_id: self.operation_id };
        let status = if self.created { StatusCode::CREATED } else { StatusCode::ACCEPTED };
        let response = Replayable::new(status, &body, Some(&self.location), Some(self.revision))?;
        with_operation_location(response, self.operation_id)
    }
}

fn with_operation_location(mut response: Replayable, id: OperationId) -> Result<Replayable> {
    let operation = format!("{BASE_PATH}/operations/{id}");
    response.headers.push((OPERATION_LOCATION, HeaderValue::from_str(&operation).map_err(Error::internal)?));
    Ok(response)
}

/// 202 with a JSON body that is about one operation, and has the field `operation_id` itself.
#[derive(Debug, Clone)]
pub struct Accepted<T> {
    pub body: T,
    /// The path of the body.
    pub location: String,
    /// The revision, for the entity tag.
    pub revision: i64,
    pub operation_id: OperationId,
}

impl<T: Serialize> JsonResponse for Accepted<T> {
    fn to_replayable(&self) -> Result<Replayable> {
        let (location, revision) = (Some(&*self.location), Some(self.revision));
        let response = Replayable::new(StatusCode::ACCEPTED, &self.body, location, revision)?;
        with_operation_location(response, self.operation_id)
    }
}

impl<T: Serialize> IntoResponse for Started<T> {
    fn into_response(self) -> Response {
        match self.to_replayable() {
            Ok(response) => response.into_response(),
            Err(error) => Problem::from(error).into_response(),
        }
    }
}

/// The body of [`Started`].
#[derive(Debug, Clone, Serialize)]
pub struct WithOperation<T> {
    #[serde(flatten)]
    pub of: T,
    pub operation_id: OperationId,
}

impl<T: ToSchema> PartialSchema for WithOperation<T> {
    fn schema() -> RefOr<Schema> {
        let own = ObjectBuilder::new()
            .property(
                "operation_id",
                Ref::builder()
                    .ref_location_from_schema_name(OperationId::name())
                    .description(Some("The operation that continues the work in the background")),
            )
            .required("operation_id");
        AllOfBuilder::new()
            .item(Ref::from_schema_name(T::name()))
            .item(own)
            .description(Some("A tenant, and the operation that continues the work on it in the background."))
            .into()
    }
}

impl<T: ToSchema> ToSchema for WithOperation<T> {
    fn name() -> Cow<'static, str> {
        format!("{}WithOperation", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        schemas.push((OperationId::name().into_owned(), OperationId::schema()));
        T::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_and_a_header_name_the_operation_also_when_the_response_is_sent_again() {
        let operation_id: OperationId = OperationId::EXAMPLE.parse().unwrap();
        let body = serde_json::json!({ "name": "Kopi" });
        let started = Started { created: true, body, location: "/things/7".to_owned(), revision: 1, operation_id };
        let stored = started.to_replayable().unwrap();
        assert_eq!(stored.status, StatusCode::CREATED);
        let json: serde_json::Value = serde_json::from_str(&stored.body).unwrap();
        assert_eq!(json, serde_json::json!({ "name": "Kopi", "operation_id": OperationId::EXAMPLE }));
        for response in [stored.clone().into_response(), stored.again()] {
            let location = response.headers()[OPERATION_LOCATION].to_str().unwrap();
            assert_eq!(location, format!("/api/super-admin/operations/{operation_id}"));
        }
    }
}
