//! The actions in the audit log.

use serde::Serialize;

// Entries are kept for more than a year, so that no name may be removed or changed.
keyword_enum!(
    /// What somebody did or tried to do.
    AuditAction {
        /// A request was refused because the caller may not do this.
        AccessRefused = "access.refused",
        /// A super-admin changed their own password.
        AdminChangePassword = "admin.change_password",
        /// A super-admin was added.
        AdminCreate = "admin.create",
        /// Somebody signed in.
        AdminLogin = "admin.login",
        /// A deployment let an owner in again, because every owner was locked out.
        AdminRecover = "admin.recover",
        /// A super-admin continued a session with a new token.
        AdminRefreshSession = "admin.refresh_session",
        /// A super-admin was changed.
        AdminUpdate = "admin.update",
        /// Dead letters were removed, and their operations woken.
        DeadLettersRedrive = "dead_letters.redrive",
        /// An impersonation was ended.
        ImpersonationEnd = "impersonation.end",
        /// The token of a live impersonation was signed again, for a repeated request.
        ImpersonationRepeat = "impersonation.repeat",
        /// An impersonation was started.
        ImpersonationStart = "impersonation.start",
        /// An operation was abandoned.
        OperationAbandon = "operation.abandon",
        /// An operation was made due at once.
        OperationRetry = "operation.retry",
        /// A reconciliation was requested.
        ReconciliationCreate = "reconciliation.create",
        /// What was left of databases that should not exist any more was removed.
        TenantCleanup = "tenant.cleanup",
        /// A tenant was created.
        TenantCreate = "tenant.create",
        /// The deletion of a tenant was requested.
        TenantDelete = "tenant.delete",
        /// An export of a tenant was requested.
        TenantExport = "tenant.export",
        /// An export of a tenant failed, and its files were removed.
        TenantExportFailed = "tenant.export_failed",
        /// Links to the files of an export were issued.
        TenantExportLinks = "tenant.export_links",
        /// An export of a tenant is complete.
        TenantExported = "tenant.exported",
        /// A tenant became active, because its databases exist.
        TenantProvisioned = "tenant.provisioned",
        /// The provisioning of a tenant failed.
        TenantProvisioningFailed = "tenant.provisioning_failed",
        /// Everything of a deleted tenant was removed from every store.
        TenantPurged = "tenant.purged",
        /// The deletion of a tenant was taken back.
        TenantRestore = "tenant.restore",
        /// The provisioning of a failed tenant was requested again.
        TenantRetry = "tenant.retry",
        /// The restored copy of a tenant and its original have swapped their databases.
        TenantPromote = "tenant.promote",
        /// A copy of a tenant was requested, restored from an export.
        TenantRestoreExport = "tenant.restore_export",
        /// A restored copy has its databases, and is suspended.
        TenantRestoredCopy = "tenant.restored_copy",
        /// A tenant was changed.
        TenantUpdate = "tenant.update",
        /// A user was added to a tenant.
        UserCreate = "user.create",
        /// The personal data of a user were erased.
        UserErase = "user.erase",
        /// Users of a tenant were listed.
        UserList = "user.list",
        /// A user of a tenant was read.
        UserRead = "user.read",
        /// Users of all tenants were searched.
        UserSearch = "user.search",
        /// A user of a tenant was changed.
        UserUpdate = "user.update",
    }
);
