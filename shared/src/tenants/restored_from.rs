//! What a restored copy is a copy of.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::{Error, Result},
    types::{ExportId, TenantId},
};

/// The source of a restored copy, which was created from an export and not by a request for a new tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct RestoredFrom {
    /// The tenant that was exported.
    pub tenant_id: TenantId,
    /// The export.
    pub export_id: ExportId,
}

impl RestoredFrom {
    /// Reads the column `restored_from`.
    pub(super) fn read(column: Option<Value>) -> Result<Option<Self>> {
        column.map(serde_json::from_value).transpose().map_err(Error::internal)
    }
}
