//! Releases: the versions of the schemas that run.

pub mod store;

use serde::Serialize;

/// The versions of the schemas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SchemaVersions {
    /// The version of the platform database.
    #[cfg_attr(feature = "http", schema(minimum = 1, example = 1))]
    pub platform: i32,
    /// The version of tenants' databases that this release expects.
    #[cfg_attr(feature = "http", schema(minimum = 1, example = 1))]
    pub tenants: i32,
    /// How many tenants with databases have each version, the newest first.
    pub tenants_by_version: Vec<TenantsOfVersion>,
}

/// The tenants whose databases have a version of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct TenantsOfVersion {
    /// The version.
    #[cfg_attr(feature = "http", schema(minimum = 1, example = 1))]
    pub schema_version: i32,
    /// Their number.
    #[cfg_attr(feature = "http", schema(minimum = 1, example = 214))]
    pub tenants: i64,
}
