//! The states that forbid a request.

use crate::types::{ImpersonationId, OperationId, TenantId};

/// Longer than a request can work on the databases of a tenant that is suspended meanwhile.
pub const UNSETTLED_SECONDS: i32 = 10;

/// Why the current state forbids a request. The message names the state and what is possible. Each variant has a problem type
/// of its own in the API, so that a client need not read the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    #[error("The slug `{slug}` is already used by another tenant")]
    SlugTaken { slug: String },
    #[error("The tenant is {tenant_status}; it must be active")]
    TenantNotActive { tenant_status: &'static str },
    /// For reading, it may be suspended.
    #[error("The tenant is {tenant_status}; it must be active or suspended")]
    TenantNotReadable { tenant_status: &'static str },
    #[error("The tenant is {tenant_status}; only a failed tenant can be retried")]
    TenantNotFailed { tenant_status: &'static str },
    #[error(
        "The password of the tenant's first user was erased, because the tenant failed long ago; create another tenant"
    )]
    FirstPasswordErased,
    /// An object that a late worker of its first attempt copies would belong to the second one, too.
    #[error("The tenant is a restored copy that failed; delete it, and restore the export again")]
    RestoreNotRetried,
    #[error("The tenant is no restored copy, so that it has nothing to be promoted")]
    NotARestoredCopy,
    /// A promotion needs both tenants suspended, so that nothing is written meanwhile.
    #[error("Tenant {tenant_id} is {tenant_status}; for a promotion, the copy and its original must both be suspended")]
    TenantNotSuspended { tenant_id: TenantId, tenant_status: &'static str },
    /// A change of a user, or of an impersonation, may still be committed in the databases that are to be swapped.
    #[error("Changes of tenant {tenant_id} are not settled yet; try again in {} seconds", UNSETTLED_SECONDS)]
    ChangesUnsettled { tenant_id: TenantId },
    #[error("The tenant is {tenant_status}; once its deletion has begun, it cannot be changed or deleted again")]
    TenantDeletionBegun { tenant_status: &'static str },
    #[error("The tenant is {tenant_status}; only a tenant that is being deleted can be restored")]
    TenantNotRestorable { tenant_status: &'static str },
    #[error("The time in which the tenant could be restored is over")]
    RecoveryEnded,
    #[error("The tenant is {tenant_status}; its receipt exists as soon as it is deleted")]
    ReceiptNotReady { tenant_status: &'static str },
    #[error("The export is {export_status}; it must be complete")]
    ExportNotComplete { export_status: &'static str },
    #[error("The files of the export are not those that were written; export the tenant again")]
    ExportDamaged,
    /// `allowed` contains the statuses that a super-admin can set now.
    #[error("Cannot set the status to {wanted}: the tenant is {tenant_status}, and {}", settable(allowed))]
    TenantStatusNotSettable { tenant_status: &'static str, wanted: &'static str, allowed: Vec<&'static str> },
    /// The tenant's databases are older than the code.
    #[error(
        "The tenant's databases have schema version {found}, and version {required} is required; run migrate-platform"
    )]
    TenantSchemaOutdated { found: i32, required: i32 },
    #[error("The tenant has no databases: it is not placed on a cluster")]
    TenantNotPlaced,
    #[error("Operation {operation_id} ({kind}, {status}) is running on this tenant; wait until it ends")]
    OperationRunning { operation_id: OperationId, kind: &'static str, status: &'static str },
    /// `status` is how it ended.
    #[error("Operation {operation_id} has {status}; only an operation that has not ended can be changed")]
    OperationEnded { operation_id: OperationId, status: &'static str },
    /// `limit` is the tenant's `max_agents`; `used` counts the active users.
    #[error("All seats of the tenant are taken: max_agents is {limit}. Deactivate a user, or raise the limit")]
    SeatsExhausted { limit: i64, used: i64 },
    /// `holder` is a noun, such as "user of the tenant".
    #[error("Another {holder} has the e-mail address {email}")]
    EmailTaken { holder: &'static str, email: String },
    #[error("Another super-admin has this subject")]
    SubjectTaken,
    #[error("Cannot demote or deactivate the tenant's last active admin; make another user an admin first")]
    LastAdmin,
    #[error("Cannot demote or disable the last owner")]
    LastOwner,
    #[error("The super-admin signs in at the identity provider and has no password here")]
    NoPassword,
    #[error("The platform has no identity provider at which people sign in to the console")]
    NoIdentityProvider,
    #[error("The user is deactivated and cannot be impersonated")]
    UserDeactivated,
    #[error("The user's personal data were erased; the user cannot be changed any more")]
    UserErased,
    #[error("Impersonation {impersonation_id} of this user by this super-admin has not ended; end it first")]
    ImpersonationLive { impersonation_id: ImpersonationId },
    /// `state` names the reason and what to do.
    #[error("Impersonation {impersonation_id} {state}")]
    ImpersonationNotLive { impersonation_id: ImpersonationId, state: String },
}

fn settable(allowed: &[&str]) -> String {
    match allowed {
        [] => "no status can be set".to_owned(),
        some => format!("it can only be set to {}", some.join(", ")),
    }
}
