//! Operations: what is being done to a tenant's databases.

#[cfg(feature = "postgres")]
pub mod store;

use serde::Serialize;
use time::OffsetDateTime;

use crate::types::{OperationId, TenantId, optional_timestamp, timestamp};

keyword_enum!(
    /// What is done.
    OperationKind {
        /// A new tenant's databases are made.
        Provision = "provision",
        /// The databases of a tenant that failed are made again.
        Retry = "retry",
    }
);

keyword_enum!(
    /// A part of an operation, with an effect of its own.
    StepName {
        /// Choosing the clusters that hold the tenant's databases.
        Placement = "placement",
        /// The PostgreSQL database, cloned from the template.
        PostgresqlDatabase = "postgresql_database",
        /// The MongoDB database with its collections.
        MongodbDatabase = "mongodb_database",
        /// The prefix in the bucket.
        ObjectPrefix = "object_prefix",
        /// The tenant's first agent.
        AdminUser = "admin_agent",
        /// Opening the tenant to its users.
        Activation = "activation",
    }
);

impl OperationKind {
    /// The steps of an operation, in the order in which they are shown.
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
        }
    }
}

keyword_enum!(
    /// Where an operation stands.
    OperationStatus {
        /// Accepted, not taken up yet.
        Pending = "pending",
        /// Its steps are being applied.
        Running = "running",
        /// It cannot succeed any more: its steps are being undone.
        Undoing = "undoing",
        /// Done.
        Succeeded = "succeeded",
        /// Undone: nothing of it is left, and the reason says why.
        Failed = "failed",
    }
);

keyword_enum!(
    /// Where a step stands.
    StepStatus {
        /// Not begun.
        Pending = "pending",
        /// Being applied; its effect may be there in part.
        Running = "running",
        /// Its effect is there.
        Succeeded = "succeeded",
        /// Could not be applied; its effect may be there in part.
        Failed = "failed",
        /// Its effect is being removed.
        Undoing = "undoing",
        /// Nothing of it is left.
        Undone = "undone",
    }
);

/// An operation, as the API shows it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Operation {
    /// Id (UUIDv7).
    pub id: OperationId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// What is done.
    pub kind: OperationKind,
    /// Where it stands.
    pub status: OperationStatus,
    /// Why it failed, or is being undone.
    pub reason: Option<String>,
    /// How often its steps were taken up.
    pub attempts: i32,
    /// Its steps, in order.
    pub steps: Vec<OperationStep>,
    /// When it was asked for.
    #[serde(serialize_with = "timestamp")]
    pub created_at: OffsetDateTime,
    /// When it ended.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub finished_at: Option<OffsetDateTime>,
    /// The super-admin who asked for it.
    pub requested_by: String,
}

/// One step of an operation.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct OperationStep {
    /// Name.
    #[cfg_attr(feature = "http", schema(example = "postgresql_database"))]
    pub name: String,
    /// Where it stands.
    pub status: StepStatus,
    /// How often it was begun, undoing included.
    pub attempts: i32,
    /// When it was begun last.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub started_at: Option<OffsetDateTime>,
    /// When it ended last.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub finished_at: Option<OffsetDateTime>,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
