//! Placement of a tenant's databases.

/// The clusters that hold a tenant's databases, by their configured names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pub postgres_cluster: String,
    pub mongo_cluster: String,
}

impl Placement {
    /// From two columns. Either both contain a value, or neither does.
    pub fn read(postgres_cluster: Option<String>, mongo_cluster: Option<String>) -> Option<Self> {
        Some(Self { postgres_cluster: postgres_cluster?, mongo_cluster: mongo_cluster? })
    }
}
