//! The response to a request that starts an operation on a tenant.

use crate::{
    http::{BASE_PATH, Started},
    tenants::Tenant,
    types::OperationId,
};

impl Tenant {
    /// A response (202) with the tenant, its location, and its revision as the entity tag.
    pub fn started(self, operation_id: OperationId) -> Started<Self> {
        let (location, revision) = (format!("{BASE_PATH}/tenants/{}", self.id), self.revision);
        Started { created: false, body: self, location, revision, operation_id }
    }
}
