//! Where a tenant is placed.

/// Where a tenant's databases are: names of configured clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The cluster of its PostgreSQL database.
    pub postgres_cluster: String,
    /// The cluster of its MongoDB database.
    pub mongo_cluster: String,
}

impl Placement {
    /// Both are written at once, or neither.
    pub fn read(postgres_cluster: Option<String>, mongo_cluster: Option<String>) -> Option<Self> {
        Some(Self { postgres_cluster: postgres_cluster?, mongo_cluster: mongo_cluster? })
    }
}
