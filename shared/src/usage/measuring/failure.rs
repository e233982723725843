//! Why a store of a tenant could not be measured.

use crate::{error::Error, usage::MeasurementError};

/// Why a store of a tenant could not be measured.
#[derive(Debug)]
pub struct MeasurementFailure {
    /// Shown to super-admins.
    pub code: MeasurementError,
    /// For the log only.
    pub cause: Option<Error>,
}

impl MeasurementFailure {
    pub(super) fn new(code: MeasurementError) -> Self {
        Self { code, cause: None }
    }

    /// The failure of a store: `unavailable` if the cause is transient.
    pub(super) fn of(cause: Error, unavailable: MeasurementError) -> Self {
        let code = if cause.is_transient() { unavailable } else { MeasurementError::Unexpected };
        Self { code, cause: Some(cause) }
    }

    /// Whether the store, and not only the tenant's part of it, may be at fault.
    pub(super) fn concerns_store(&self) -> bool {
        matches!(
            self.code,
            MeasurementError::PostgresqlUnavailable
                | MeasurementError::MongodbUnavailable
                | MeasurementError::ObjectStorageUnavailable
        )
    }
}
