//! The types of problems: what a client can rely on, beside the status. `GET /problems/{name}` serves each of them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{error::Conflict, http::BASE_PATH};

/// A type of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct ProblemType {
    /// The last part of the URL that is the problem's `type`.
    #[schema(example = "slug-taken")]
    pub name: &'static str,
    /// The title of each problem of this type.
    #[schema(example = "Slug taken")]
    pub title: &'static str,
    /// The HTTP status codes of its responses.
    #[schema(value_type = Vec<u16>, example = json!([409]))]
    pub statuses: &'static [u16],
    /// What has happened.
    pub meaning: &'static str,
    /// What the client, or the person in front of it, can do.
    pub remedy: &'static str,
    /// The members that its problems have besides those of RFC 9457.
    #[schema(value_type = Vec<String>, example = json!([]))]
    pub members: &'static [&'static str],
}

impl ProblemType {
    /// The problem's `type`: a URL reference (RFC 9457, section 3.1.1) relative to the host of the API.
    pub fn url(&self) -> String {
        format!("{BASE_PATH}/problems/{}", self.name)
    }

    pub fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|one| one.name == name)
    }
}

/// Declares each type as a constant, and `ALL`.
macro_rules! problem_types {
    ($($constant:ident = $name:literal, $statuses:expr, $title:literal, $members:expr, $meaning:literal, $remedy:literal;)+) => {
        $(pub const $constant: ProblemType = ProblemType {
            name: $name,
            title: $title,
            statuses: &$statuses,
            meaning: $meaning,
            remedy: $remedy,
            members: &$members,
        };)+

        /// Every type, in the order of this page.
        pub const ALL: &[&ProblemType] = &[$(&$constant),+];
    };
}

problem_types! {
    MALFORMED_REQUEST = "malformed-request", [400], "Malformed request", [],
        "The body of the request is not JSON, or is incomplete.",
        "Send a complete JSON document in UTF-8.";
    INVALID_INPUT = "invalid-input", [400, 422], "Invalid input", ["errors"],
        "Values of the request are invalid. `errors` lists all of them, each with its place, a `code` and the rule that it \
         breaks. The status is 422 if one of them is in the body, and 400 otherwise.",
        "Correct every value that is listed, and send the request again.";
    UNAUTHENTICATED = "unauthenticated", [401], "Not authenticated", [],
        "The request has no bearer token, or one that is invalid, expired or withdrawn; or the e-mail address or the password \
         is wrong.",
        "Sign in, and send the new token in the header Authorization.";
    FORBIDDEN = "forbidden", [403], "Forbidden", [],
        "The caller is known, but may not do this.",
        "Ask a super-admin with the role that the detail names.";
    PASSWORD_CHANGE_REQUIRED = "password-change-required", [403], "Password change required", [],
        "The caller's password is temporary, because someone else set it.",
        "Set a password of your own with `POST /auth/change-password`, and use the token that it returns.";
    NOT_FOUND = "not-found", [404], "Not found", [],
        "No resource has this id.",
        "Check the id; list the resources to find it.";
    UNKNOWN_PATH = "unknown-path", [404], "Unknown path", [],
        "The API has no resource at this path.",
        "Check the path: case, slashes and the base path matter.";
    METHOD_NOT_ALLOWED = "method-not-allowed", [405], "Method not allowed", [],
        "This path does not support the method of the request.",
        "Use one of the methods in the header Allow.";
    SLUG_TAKEN = "slug-taken", [409], "Slug taken", ["slug"],
        "Another tenant that is not deleted has this slug.",
        "Choose another slug.";
    TENANT_NOT_ACTIVE = "tenant-not-active", [409], "Tenant not active", ["tenant_status"],
        "The tenant must be active for this request, or suspended if it only reads; `tenant_status` is its status.",
        "Wait until it is provisioned, or reactivate it if it is suspended.";
    TENANT_NOT_FAILED = "tenant-not-failed", [409], "Tenant not failed", ["tenant_status"],
        "Only a tenant whose provisioning failed can be retried; `tenant_status` is its status.",
        "Nothing, if the tenant is active or still being provisioned.";
    FIRST_PASSWORD_ERASED = "first-password-erased", [409], "First password erased", [],
        "The tenant has been failed for so long that the password of its first user was erased.",
        "Create another tenant.";
    RESTORE_NOT_RETRIED = "restore-not-retried", [409], "Restore not retried", [],
        "The tenant is a restored copy that failed, and is not provisioned again.",
        "Delete the copy, and restore the export again.";
    NOT_A_RESTORED_COPY = "not-a-restored-copy", [409], "Not a restored copy", [],
        "Only a tenant that was restored from an export can be promoted, because it has an original.",
        "Check the id: `restored_from` of the copy names its original.";
    TENANT_NOT_SUSPENDED = "tenant-not-suspended", [409], "Tenant not suspended", ["tenant_id", "tenant_status"],
        "A promotion needs the copy and its original suspended, so that nothing is written meanwhile. `tenant_id` is the one that is not, and \
         `tenant_status` its status.",
        "Suspend the tenant `tenant_id`. If it is deleted, activate the copy instead: it is a tenant of its own.";
    CHANGES_UNSETTLED = "changes-unsettled", [409], "Changes unsettled", ["tenant_id"],
        "A change of the tenant `tenant_id` is open, or the tenant was suspended only seconds ago, so that a request may still change a user.",
        "Try again in ten seconds. `GET /reconciliations` shows changes that stay open.";
    TENANT_DELETION_BEGUN = "tenant-deletion-begun", [409], "Deletion has begun", ["tenant_status"],
        "The tenant is being deleted or deleted already; `tenant_status` is its status.",
        "Nothing: `deletion` of the tenant shows when and why it was requested.";
    TENANT_NOT_RESTORABLE = "tenant-not-restorable", [409], "Tenant not restorable", ["tenant_status"],
        "Only a tenant that is being deleted can be restored; `tenant_status` is its status.",
        "Nothing, if it is not deleted. After its purge, only a backup of the stores contains it.";
    RECOVERY_ENDED = "recovery-ended", [409], "Recovery ended", [],
        "The time in which the tenant could be restored is over, and its data are being removed.",
        "Restore the data from a backup of the stores into a new tenant.";
    RECEIPT_NOT_READY = "receipt-not-ready", [409], "Receipt not ready", ["tenant_status"],
        "The receipt of a deletion exists when everything is removed; `tenant_status` is the status of the tenant.",
        "Wait until the tenant is deleted. Its operation `purge` shows why it waits.";
    EXPORT_NOT_COMPLETE = "export-not-complete", [409], "Export not complete", ["export_status"],
        "The files of an export can be read when it is complete, and until it expires; `export_status` is its status.",
        "Wait until it is complete. If it has failed or expired, export the tenant again.";
    EXPORT_DAMAGED = "export-damaged", [409], "Export damaged", [],
        "A file of the export was removed from the bucket, or changed since it was written.",
        "Export the tenant again, and find out who may write to the bucket.";
    TENANT_STATUS_NOT_SETTABLE = "tenant-status-not-settable", [409], "Status cannot be set", ["tenant_status", "allowed"],
        "The tenant's status cannot be changed to the requested one; `tenant_status` is its status, and `allowed` lists the \
         statuses that can be set now.",
        "Set one of the allowed statuses, or wait until the operation on the tenant has ended.";
    TENANT_SCHEMA_OUTDATED = "tenant-schema-outdated", [409], "Tenant's schema outdated", [],
        "The databases of this tenant have not been migrated to the schema that the API needs.",
        "Run migrate-platform, and read its result for the tenants that could not be migrated.";
    TENANT_NOT_PLACED = "tenant-not-placed", [409], "Tenant has no databases", [],
        "The tenant has no databases yet.",
        "Wait until it is provisioned.";
    OPERATION_RUNNING = "operation-running", [409], "Operation running", ["operation_id"],
        "Another operation is changing this tenant's databases.",
        "Wait until the operation `operation_id` has ended, and send the request again.";
    OPERATION_ENDED = "operation-ended", [409], "Operation ended", ["operation_id"],
        "The operation has succeeded or failed, so it can neither be retried nor abandoned.",
        "If it failed, retry the tenant: `POST /tenants/{id}/retry`.";
    SEATS_EXHAUSTED = "seats-exhausted", [409], "Seats exhausted", ["limit", "used"],
        "The tenant has as many active users as its limit `max_agents` allows.",
        "Deactivate a user, or raise the limit.";
    EMAIL_TAKEN = "email-taken", [409], "E-mail address taken", [],
        "Another account has this e-mail address.",
        "Use the other account, or another address.";
    SUBJECT_TAKEN = "subject-taken", [409], "Subject taken", [],
        "Another super-admin has this subject of the identity provider.",
        "Change that super-admin instead.";
    LAST_ADMIN = "last-admin", [409], "Last admin", [],
        "The tenant would have no active admin.",
        "Make another user an admin first.";
    LAST_OWNER = "last-owner", [409], "Last owner", [],
        "The platform would have no active owner.",
        "Make another super-admin an owner first.";
    NO_PASSWORD = "no-password", [409], "No password", [],
        "This super-admin signs in at the identity provider and has no password here.",
        "Change the password, or get a new token, at the identity provider.";
    NO_IDENTITY_PROVIDER = "no-identity-provider", [409], "No identity provider", [],
        "The platform has no identity provider at which people sign in to the console.",
        "Sign in with a password.";
    USER_DEACTIVATED = "user-deactivated", [409], "User deactivated", [],
        "A deactivated user cannot be impersonated.",
        "Reactivate the user, or impersonate another one.";
    USER_ERASED = "user-erased", [409], "User erased", [],
        "The personal data of this user were erased on request, which is final.",
        "Create another user, if the person is to work in the tenant again.";
    IMPERSONATION_LIVE = "impersonation-live", [409], "Impersonation live", ["impersonation_id"],
        "This super-admin is already impersonating this user.",
        "Use the impersonation `impersonation_id`, or end it first.";
    IMPERSONATION_NOT_LIVE = "impersonation-not-live", [409], "Impersonation not live", ["impersonation_id"],
        "The impersonation has ended, or has not begun, so that no token is issued for it.",
        "Start another one with a new Idempotency-Key.";
    REQUEST_IN_PROGRESS = "request-in-progress", [409], "Request in progress", [],
        "A request with the same Idempotency-Key is being processed.",
        "Send the request again after the time in the header Retry-After.";
    PRECONDITION_FAILED = "precondition-failed", [412], "Precondition failed", [],
        "The resource has changed since the revision in the header If-Match.",
        "Fetch it again, and decide whether the change is still wanted.";
    BODY_TOO_LARGE = "body-too-large", [413], "Body too large", [],
        "The body is larger than 64 KiB.",
        "Send less.";
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type", [415], "Unsupported media type", [],
        "The body is not declared as JSON.",
        "Send the header Content-Type: application/json.";
    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused", [422], "Idempotency key reused", [],
        "The Idempotency-Key was used with another body.",
        "Use a new key for a new request.";
    TOO_MANY_REQUESTS = "too-many-requests", [429], "Too many requests", [],
        "The limit for requests of this kind is reached.",
        "Try again after the time in the header Retry-After.";
    INTERNAL = "internal", [500], "Internal error", [],
        "The API failed. The log contains the reason under the request's id.",
        "Report the `x-request-id` to the team that runs the platform.";
    UNAVAILABLE = "unavailable", [503], "Temporarily unavailable", [],
        "A store or service that the API depends on cannot be reached.",
        "Try again after the time in the header Retry-After. `GET /health` shows the state of each store.";
    DEADLINE_EXCEEDED = "deadline-exceeded", [503], "Deadline exceeded", [],
        "The request took too long and was given up. A change may have been made.",
        "Read the resource, or repeat the request with the same Idempotency-Key.";
}

impl From<&Conflict> for &'static ProblemType {
    fn from(conflict: &Conflict) -> Self {
        match conflict {
            Conflict::SlugTaken { .. } => &SLUG_TAKEN,
            Conflict::TenantNotActive { .. } | Conflict::TenantNotReadable { .. } => &TENANT_NOT_ACTIVE,
            Conflict::TenantNotFailed { .. } => &TENANT_NOT_FAILED,
            Conflict::FirstPasswordErased => &FIRST_PASSWORD_ERASED,
            Conflict::RestoreNotRetried => &RESTORE_NOT_RETRIED,
            Conflict::NotARestoredCopy => &NOT_A_RESTORED_COPY,
            Conflict::TenantNotSuspended { .. } => &TENANT_NOT_SUSPENDED,
            Conflict::ChangesUnsettled { .. } => &CHANGES_UNSETTLED,
            Conflict::TenantDeletionBegun { .. } => &TENANT_DELETION_BEGUN,
            Conflict::TenantNotRestorable { .. } => &TENANT_NOT_RESTORABLE,
            Conflict::RecoveryEnded => &RECOVERY_ENDED,
            Conflict::ReceiptNotReady { .. } => &RECEIPT_NOT_READY,
            Conflict::ExportNotComplete { .. } => &EXPORT_NOT_COMPLETE,
            Conflict::ExportDamaged => &EXPORT_DAMAGED,
            Conflict::TenantStatusNotSettable { .. } => &TENANT_STATUS_NOT_SETTABLE,
            Conflict::TenantSchemaOutdated { .. } => &TENANT_SCHEMA_OUTDATED,
            Conflict::TenantNotPlaced => &TENANT_NOT_PLACED,
            Conflict::OperationRunning { .. } => &OPERATION_RUNNING,
            Conflict::OperationEnded { .. } => &OPERATION_ENDED,
            Conflict::SeatsExhausted { .. } => &SEATS_EXHAUSTED,
            Conflict::EmailTaken { .. } => &EMAIL_TAKEN,
            Conflict::SubjectTaken => &SUBJECT_TAKEN,
            Conflict::LastAdmin => &LAST_ADMIN,
            Conflict::LastOwner => &LAST_OWNER,
            Conflict::NoPassword => &NO_PASSWORD,
            Conflict::NoIdentityProvider => &NO_IDENTITY_PROVIDER,
            Conflict::UserDeactivated => &USER_DEACTIVATED,
            Conflict::UserErased => &USER_ERASED,
            Conflict::ImpersonationLive { .. } => &IMPERSONATION_LIVE,
            Conflict::ImpersonationNotLive { .. } => &IMPERSONATION_NOT_LIVE,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn names_are_unique_and_statuses_are_errors() {
        let names: BTreeSet<_> = ALL.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), ALL.len());
        for one in ALL {
            let is_error = |status: &u16| StatusCode::from_u16(*status).is_ok_and(|status| !status.is_success());
            assert!(!one.statuses.is_empty() && one.statuses.iter().all(is_error), "{one:?}");
        }
    }
}
