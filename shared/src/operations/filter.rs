//! The filters of lists of operations.

use crate::{
    operations::{OperationKind, OperationStatus},
    types::{CreatedRange, TenantId, Values},
};

query_parameters! {
    #![cfg(feature = "http")]
    /// The filters of a list of operations; all must hold.
    #[derive(Debug, Clone, Default)]
    pub struct OperationFilter {
        /// Only operations with one of these statuses, separated by commas
        pub status: Option<Values<OperationStatus>>,
        /// Only operations of this kind
        pub kind: Option<OperationKind>,
        /// Only operations on this tenant
        pub tenant_id: Option<TenantId>,
        /// Only operations that have not ended although they should have: that met three or more faults in a row, have spent their time, or
        /// are due for more than two minutes without a worker
        pub stuck: Option<bool>,
        pub created: CreatedRange,
    }
}

#[cfg(feature = "http")]
impl crate::http::ListParameters for OperationFilter {
    const LIST: &str = "all-operations";
    const IS_COUNTED: bool = true;
}
