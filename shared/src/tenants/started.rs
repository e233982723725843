//! The response to a request that starts an operation on a tenant.

use axum::http::StatusCode;

use crate::{
    http::{BASE_PATH, Started},
    tenants::Tenant,
    types::OperationId,
};

impl Tenant {
    /// A response with the tenant, its location, and its revision as the entity tag. `status` is 201 or 202.
    pub fn started(self, status: StatusCode, operation_id: OperationId) -> Started<Self> {
        let (location, revision) = (format!("{BASE_PATH}/tenants/{}", self.id), self.revision);
        Started { status, body: self, location, revision, operation_id }
    }
}
