//! The types of events.

use serde::Serialize;

keyword_enum!(
    /// The type of an event.
    EventType {
        /// A tenant was created, and its databases are about to be created.
        TenantRequested = "tenant.requested",
        /// A tenant's databases exist, and the tenant is active.
        TenantProvisioned = "tenant.provisioned",
        /// A tenant's databases could not be created, and what was created is removed.
        TenantProvisioningFailed = "tenant.provisioning_failed",
        /// The name, the limits or the setting `on_limit` of a tenant were changed; or a promotion has given it other databases, whose name is
        /// in `mongo_database`, so that services must read again what they hold of it.
        TenantUpdated = "tenant.updated",
        /// A tenant was suspended. Services must refuse its users.
        TenantSuspended = "tenant.suspended",
        /// A suspended tenant is active again.
        TenantResumed = "tenant.resumed",
        /// A tenant is going to be deleted. Services must refuse its users, and must keep its data, because it may be restored.
        TenantDeletionRequested = "tenant.deletion_requested",
        /// A copy of a tenant is complete: its databases and the list of its objects are in files.
        TenantExported = "tenant.exported",
        /// The deletion of a tenant was taken back: the tenant has the status that it had before.
        TenantRestored = "tenant.restored",
        /// A tenant's databases and objects are removed for good. Services must remove what they keep of it.
        TenantDeleted = "tenant.deleted",
        /// The usage of a tenant has reached 80 or 100 percent of a limit, for the first time in this month.
        TenantUsageThresholdReached = "tenant.usage_threshold_reached",
        /// The usage of a tenant is below a limit that it had reached, or the limit was raised or removed.
        TenantUsageBelowLimit = "tenant.usage_below_limit",
        /// A user was added to a tenant.
        UserCreated = "user.created",
        /// The name or the role of a user was changed.
        UserUpdated = "user.updated",
        /// A user was deactivated. Services must end their sessions.
        UserDeactivated = "user.deactivated",
        /// A deactivated user is active again.
        UserReactivated = "user.reactivated",
        /// The password of a user was changed. Services must end their sessions.
        UserPasswordReset = "user.password_reset",
        /// The personal data of a user were erased on request. Services must erase what they hold of the user, and end their sessions.
        UserErased = "user.erased",
        /// An impersonation is live. From now on, services may receive its token.
        ImpersonationStarted = "impersonation.started",
        /// An impersonation has ended. Services must refuse its token.
        ImpersonationEnded = "impersonation.ended",
        /// The status of a component of the platform has changed.
        HealthChanged = "health.changed",
    }
);
