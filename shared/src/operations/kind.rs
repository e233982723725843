//! The kinds of operations, and their steps.

use std::time::Duration;

use serde::Serialize;

use crate::operations::store::breakers::StoreKind;

keyword_enum!(
    /// Kind of operation.
    OperationKind {
        /// Creates the databases of a new tenant.
        Provision = "provision",
        /// Creates the databases of a tenant whose provisioning failed.
        Retry = "retry",
        /// Removes what is left of databases that should not exist any more.
        Cleanup = "cleanup",
        /// Takes the access to a tenant's databases from the platform's services, and ends their sessions.
        Suspend = "suspend",
        /// Gives the access back.
        Resume = "resume",
        /// Takes the access at once, and removes everything of a deleted tenant after the time in which it can be restored.
        Purge = "purge",
        /// Copies a tenant's databases and the list of its objects to files.
        Export = "export",
        /// Creates the databases of a restored copy, and fills them from an export.
        Restore = "restore",
        /// Completes what a promotion has begun: a tenant has got the databases of its restored copy, and gets the objects that it lacks.
        Promote = "promote",
    }
);

keyword_enum!(
    /// A part of an operation, with one effect.
    StepName {
        /// Chooses the clusters for the tenant's databases.
        Placement = "placement",
        /// Clones the PostgreSQL database from the template.
        PostgresqlDatabase = "postgresql_database",
        /// Creates the MongoDB database with its collections.
        MongodbDatabase = "mongodb_database",
        /// Writes a marker below the tenant's prefix in the bucket.
        ObjectPrefix = "object_prefix",
        /// Inserts the tenant's first user, an `admin`.
        AdminUser = "admin_agent",
        /// Makes the tenant active.
        Activation = "activation",
        /// Lets the platform's services connect to the PostgreSQL database, or forbids it and ends their sessions.
        PostgresqlAccess = "postgresql_access",
        /// The same in the MongoDB database.
        MongodbAccess = "mongodb_access",
        /// Copies the PostgreSQL database to files.
        PostgresqlExport = "postgresql_export",
        /// The same with the MongoDB database.
        MongodbExport = "mongodb_export",
        /// Lists the objects in files.
        ObjectExport = "object_export",
        /// Writes the manifest of the files.
        ExportManifest = "export_manifest",
        /// Counts what the PostgreSQL database contains, and drops it.
        PostgresqlRemoval = "postgresql_removal",
        /// The same with the MongoDB database.
        MongodbRemoval = "mongodb_removal",
        /// Counts the objects with their versions and delete markers, and removes them.
        ObjectRemoval = "object_removal",
        /// Removes the keys in Redis.
        RedisRemoval = "redis_removal",
        /// Searches every store for what may be left.
        Verification = "verification",
        /// Fills the tables of the PostgreSQL database from an export.
        PostgresqlImport = "postgresql_import",
        /// Fills the collections of the MongoDB database from an export.
        MongodbImport = "mongodb_import",
        /// Copies the objects below the tenant's prefix from those of another tenant.
        ObjectImport = "object_import",
        /// Compares both databases with the counts and checksums of the export.
        Comparison = "comparison",
    }
);

impl OperationKind {
    /// The steps of an operation, in the order in which the API lists them.
    pub fn steps(self) -> &'static [StepName] {
        match self {
            Self::Provision | Self::Retry => &[
                StepName::Placement,
                StepName::PostgresqlDatabase,
                StepName::MongodbDatabase,
                StepName::ObjectPrefix,
                StepName::AdminUser,
                StepName::Activation,
            ],
            Self::Cleanup => &[StepName::PostgresqlDatabase, StepName::MongodbDatabase, StepName::ObjectPrefix],
            Self::Suspend | Self::Resume => &[StepName::PostgresqlAccess, StepName::MongodbAccess],
            Self::Purge => &[
                StepName::PostgresqlAccess,
                StepName::MongodbAccess,
                StepName::PostgresqlRemoval,
                StepName::MongodbRemoval,
                StepName::ObjectRemoval,
                StepName::RedisRemoval,
                StepName::Verification,
            ],
            Self::Export => &Self::EXPORT_STEPS,
            Self::Restore => &[
                StepName::Placement,
                StepName::PostgresqlDatabase,
                StepName::MongodbDatabase,
                StepName::ObjectPrefix,
                StepName::PostgresqlImport,
                StepName::MongodbImport,
                StepName::ObjectImport,
                StepName::Comparison,
                StepName::Activation,
            ],
            Self::Promote => &[StepName::PostgresqlAccess, StepName::MongodbAccess, StepName::ObjectImport],
        }
    }

    /// The steps that copy a tenant.
    pub const EXPORT_STEPS: [StepName; 4] =
        [StepName::PostgresqlExport, StepName::MongodbExport, StepName::ObjectExport, StepName::ExportManifest];

    /// The steps of an operation that also copies the tenant, after the services have lost their access and before anything is removed.
    pub fn steps_with_export(self) -> Vec<StepName> {
        let (access, rest): (Vec<_>, Vec<_>) = self.steps().iter().partition(|step| Self::ACCESS_STEPS.contains(step));
        [access, Self::EXPORT_STEPS.to_vec(), rest].concat()
    }

    const ACCESS_STEPS: [StepName; 2] = [StepName::PostgresqlAccess, StepName::MongodbAccess];

    /// The kinds that a purge supersedes; a cleanup only if it works on the tenant's present databases. A deletion is refused during a promotion.
    pub const BEFORE_PURGE: [Self; 7] =
        [Self::Provision, Self::Retry, Self::Cleanup, Self::Suspend, Self::Resume, Self::Export, Self::Restore];

    /// The kinds of stores of tenants that its steps use.
    pub fn stores(self) -> &'static [StoreKind] {
        match self {
            Self::Suspend | Self::Resume => &[StoreKind::Postgresql, StoreKind::Mongodb],
            Self::Provision
            | Self::Retry
            | Self::Cleanup
            | Self::Purge
            | Self::Export
            | Self::Restore
            | Self::Promote => StoreKind::ALL,
        }
    }

    /// The kinds that create databases.
    pub(crate) fn creating() -> Vec<Self> {
        Self::ALL.iter().copied().filter(|kind| kind.creates_databases()).collect()
    }

    /// Whether its rollback removes the databases that it works on, because it has created them.
    pub fn creates_databases(self) -> bool {
        matches!(self, Self::Provision | Self::Retry | Self::Restore)
    }

    /// How long an operation may meet transient faults before it is rolled back. The time begins anew when a step records how far it is, and
    /// when a store is unavailable, because that is no reason to give up: alarms report it, and a super-admin may abandon the operation.
    /// `None`: without limit.
    pub fn budget(self) -> Option<Duration> {
        match self {
            Self::Provision | Self::Retry => Some(Duration::from_mins(30)),
            Self::Export | Self::Restore => Some(Duration::from_hours(24)),
            Self::Cleanup | Self::Suspend | Self::Resume | Self::Purge | Self::Promote => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_creates_databases_places_them_first_and_activates_the_tenant_last() {
        for &kind in OperationKind::ALL {
            let steps = kind.steps();
            assert!(!steps.is_empty(), "{kind:?}");
            let creates = kind.creates_databases();
            assert_eq!(steps.first() == Some(&StepName::Placement), creates, "{kind:?}");
            assert_eq!(steps.last() == Some(&StepName::Activation), creates, "{kind:?}");
            let is_rolled_back = creates || kind == OperationKind::Export;
            assert_eq!(kind.budget().is_some(), is_rolled_back, "{kind:?}");
        }
    }

    #[test]
    fn a_purge_copies_the_tenant_after_it_has_taken_the_access_and_before_it_removes_anything() {
        let steps = OperationKind::Purge.steps_with_export();
        assert_eq!(steps.len(), OperationKind::Purge.steps().len() + 4);
        assert_eq!(steps[..2], [StepName::PostgresqlAccess, StepName::MongodbAccess]);
        assert_eq!(steps[2..6], OperationKind::EXPORT_STEPS);
        assert_eq!(steps[6], StepName::PostgresqlRemoval);
    }
}
