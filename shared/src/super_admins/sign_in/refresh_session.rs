//! A super-admin continues a session with a new token, so that work need not be interrupted by signing in again.

use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    auth::{IssuedToken, TokenSigner},
    clients::postgres::Postgres,
    error::{Conflict, Error, Result},
    super_admins::{Principal, SignInRateLimiter, sign_in::record_excess},
    telemetry::metrics::{self, Metric},
};

const ACTION: AuditAction = AuditAction::AdminRefreshSession;

pub struct RefreshSession<'a> {
    /// Authorized for this request: neither disabled, nor with a session that has ended or a temporary password.
    pub principal: &'a Principal,
    /// How long after the sign-in a session ends, however often it is refreshed.
    pub max_age: Duration,
}

/// Issues another token of the principal's session. It has the epoch of the old one, so that whatever ends the session, also while
/// this runs, ends both.
pub async fn refresh_session(
    platform: &Postgres,
    rate_limiter: &SignInRateLimiter,
    signer: &TokenSigner,
    RefreshSession { principal, max_age }: &RefreshSession<'_>,
) -> Result<IssuedToken> {
    let session = principal.session.ok_or(Conflict::NoPassword)?;
    let max_age = i64::try_from(max_age.as_secs()).map_err(Error::internal)?;
    let ends_at = session.signed_in_at.saturating_add(max_age);
    let entry = AuditEntry::done(principal.actor(), ACTION, None, json!({}));
    if let Some(excess) = rate_limiter.count_refresh(session.super_admin).await? {
        if excess.is_first {
            record_excess(platform, principal.actor(), ACTION, excess).await;
        }
        metrics::count(Metric::SignInsLimited);
        return Err(excess.into());
    }
    if ends_at <= OffsetDateTime::now_utc().unix_timestamp() {
        audit::store::insert(&platform.get().await?, &entry.refused()).await?;
        return Err(Error::Unauthenticated("The session has reached its maximum age; sign in again"));
    }
    let token = signer.sign_again(session, ends_at)?;
    audit::store::insert(&platform.get().await?, &entry).await?;
    Ok(token)
}
