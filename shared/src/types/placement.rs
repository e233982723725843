/// The clusters of a tenant's databases, by their names in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pub postgres_cluster: String,
    pub mongo_cluster: String,
}

impl Placement {
    /// Of a tenant without databases.
    pub const NOWHERE: Self = Self { postgres_cluster: String::new(), mongo_cluster: String::new() };

    /// From two columns. Both are always written together.
    pub fn read(postgres_cluster: Option<String>, mongo_cluster: Option<String>) -> Option<Self> {
        Some(Self { postgres_cluster: postgres_cluster?, mongo_cluster: mongo_cluster? })
    }
}
