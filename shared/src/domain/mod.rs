//! The nouns of the platform: ids, validated inputs, entities and the status machine. A value that exists is valid. No
//! I/O, and nothing else of this crate.

#[macro_use]
mod word;

mod audit;
mod country;
mod email;
mod health;
mod ids;
mod impersonation;
mod limits;
mod month;
mod operation;
mod operator;
mod page;
#[cfg(feature = "password-strength")]
mod password;
mod slug;
mod tenant;
mod text;
mod usage;
mod user;

pub use audit::{AuditOutcome, AuditRecord, parse_audit_name};
pub use country::Country;
pub use email::EmailAddress;
pub use health::{Channel, Component, Condition, Service, TenantCounts};
pub use ids::{AdminId, AgentId, ImpersonationId, OperationId, TenantId};
pub use impersonation::{Access, EndReason, EndedImpersonation, Impersonation, ImpersonationMinutes, Reason, Ticket};
pub use limits::{Limit, Limits, LimitsPatch, parse_limit};
pub use month::Month;
pub use operation::{Operation, OperationKind, OperationStatus, OperationStep, StepName, StepStatus};
pub use operator::{Operator, OperatorRole, OperatorStatus, ProviderSubject};
pub use page::{Cursor, PageCursor, PageLimit, ValueCursor};
#[cfg(feature = "password-strength")]
pub use password::NewPassword;
pub use slug::Slug;
pub use tenant::{Tenant, TenantName, TenantStatus, optional_timestamp, timestamp};
pub use text::SearchText;
pub use usage::{
    Figure, Measurement, MeasurementError, Shares, TenantUsage, Threshold, Usage, UsageRecord, UsageSort, UsageSource,
};
pub use user::{AgentRole, AgentStatus, FullName, User};

/// The version of the schema that a newly provisioned tenant's databases have: the number of the newest file in
/// `infra/migrations/tenant`.
pub const TENANT_SCHEMA_VERSION: i32 = 2;

/// The database, on every PostgreSQL cluster, that databases of tenants are cloned from.
pub fn tenant_template(schema_version: i32) -> String {
    format!("landlord_template_v{schema_version}")
}

/// A name for the PostgreSQL and MongoDB database of a tenant, that was never used. It is not made of the tenant's id:
/// every attempt to provision a tenant gets a name of its own, so that whoever is late with clearing up after one attempt
/// cannot touch what another made.
pub fn new_database_name() -> String {
    format!("tenant_{}", uuid::Uuid::now_v7().simple())
}

/// An input that is not what it must be. Its text says what is wrong, for the one who sent it, and never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(pub String);

impl InvalidValue {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// It is none of those words.
    fn one_of<const N: usize>(words: [&str; N]) -> Self {
        Self(format!("must be one of {}", words.join(", ")))
    }
}
