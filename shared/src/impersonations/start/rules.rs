//! The rules of a start. The first is checked before any store is used, the others in the transaction that commits the
//! intent, under locks that hold until then.

use deadpool_postgres::Transaction;

use crate::{
    error::{Conflict, Error, Result},
    impersonations::{
        start::command::StartImpersonation,
        store::{self, start::CurrentRights},
    },
    quota::{self, Quota, QuotaUnit},
    tenants,
    types::{Access, SuperAdminRole, TenantId},
};

/// Per super-admin.
const MAX_STARTS_PER_MINUTE: u64 = 10;
const STARTS_WINDOW_SECONDS: u64 = 60;

/// Checks the role that the super-admin had when the request was authorized.
pub(super) fn check_role(command: &StartImpersonation<'_>) -> Result<()> {
    if command.role.allows(needed_role(command.access)) {
        Ok(())
    } else {
        Err(Error::Forbidden("Write access needs the role owner"))
    }
}

fn needed_role(access: Access) -> SuperAdminRole {
    match access {
        Access::Read => SuperAdminRole::Operator,
        Access::Write => SuperAdminRole::Owner,
    }
}

/// Admits one start of a super-admin at a time, and checks their rights again: they may have changed since the request was
/// authorized, and stay as they are until the commit.
pub(super) async fn check_rights(transaction: &Transaction<'_>, command: &StartImpersonation<'_>) -> Result<()> {
    store::start::lock_starts_of(transaction, command.actor.id).await?;
    match store::start::lock_rights(transaction, command.actor.id).await? {
        // A super-admin without a row has their role from the identity provider.
        None => Ok(()),
        Some(CurrentRights { is_disabled: true, .. }) => Err(Error::Unauthenticated("The super-admin is disabled")),
        Some(CurrentRights { role, .. }) if role.allows(needed_role(command.access)) => Ok(()),
        Some(_) => Err(Error::Forbidden("The super-admin's role has changed and does not allow this any more")),
    }
}

/// Locks the tenant, which may have left `active` since its location was read.
pub(super) async fn check_tenant(transaction: &Transaction<'_>, id: TenantId) -> Result<()> {
    let tenant = tenants::store::find_for_update(transaction, id).await?;
    tenant.status.require_active()
}

/// What a super-admin has left to start in this minute.
#[derive(Debug, Clone, Copy)]
pub(super) struct StartQuota {
    remaining: u64,
    reset_seconds: Option<u64>,
}

pub(super) async fn check_rate_limit(transaction: &Transaction<'_>, admin_id: &str) -> Result<StartQuota> {
    let limit = i64::try_from(MAX_STARTS_PER_MINUTE).map_err(Error::internal)?;
    let starts = store::start::seconds_left_of_starts(transaction, admin_id, limit).await?;
    let remaining = MAX_STARTS_PER_MINUTE.saturating_sub(u64::try_from(starts.len()).unwrap_or(u64::MAX));
    // The oldest of them is the first that does not count any more.
    let reset_seconds = starts.last().map(|seconds| u64::try_from(*seconds).unwrap_or(0).max(1));
    let quota = StartQuota { remaining, reset_seconds };
    quota.report();
    match (remaining, reset_seconds) {
        (0, Some(retry_after_seconds)) => Err(Error::TooManyRequests { retry_after_seconds }),
        _ => Ok(quota),
    }
}

impl StartQuota {
    /// Counts the start that this request makes.
    pub(super) fn use_one(self) {
        let reset_seconds = self.reset_seconds.or(Some(STARTS_WINDOW_SECONDS));
        Self { remaining: self.remaining.saturating_sub(1), reset_seconds }.report();
    }

    fn report(self) {
        quota::report(Quota {
            policy: "impersonations_per_super_admin",
            limit: MAX_STARTS_PER_MINUTE,
            unit: QuotaUnit::RequestsPerWindow(STARTS_WINDOW_SECONDS),
            remaining: self.remaining,
            reset_seconds: self.reset_seconds,
        });
    }
}

/// A super-admin has at most one impersonation of a user that has not ended.
pub(super) async fn check_none_open(transaction: &Transaction<'_>, command: &StartImpersonation<'_>) -> Result<()> {
    let StartImpersonation { actor, tenant_id, user_id, .. } = *command;
    store::start::close_expired(transaction, actor.id, tenant_id, user_id).await?;
    match store::start::find_open(transaction, actor.id, tenant_id, user_id).await? {
        None => Ok(()),
        Some(impersonation_id) => Err(Conflict::ImpersonationLive { impersonation_id }.into()),
    }
}
