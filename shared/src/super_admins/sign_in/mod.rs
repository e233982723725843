//! Signing in with e-mail address and password.

mod change_password;
mod rate_limit;
mod refresh_session;

use serde_json::json;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    auth::{IssuedToken, TokenSigner},
    clients::postgres::Postgres,
    error::{Error, Result},
    http::RequestInfo,
    passwords,
    super_admins::store::{self, StoredCredentials},
    telemetry::metrics::{self, Metric},
    types::{Actor, EmailAddress, SuppliedPassword},
};

use self::rate_limit::{Attempt, Excess};
pub use self::{
    change_password::{ChangePassword, change_password},
    rate_limit::SignInRateLimiter,
    refresh_session::{RefreshSession, refresh_session},
};

const ACTION: AuditAction = AuditAction::AdminLogin;
const ANONYMOUS: &str = "anonymous";

pub struct SignIn<'a> {
    pub email: &'a str,
    pub password: &'a SuppliedPassword,
    pub request: &'a RequestInfo,
}

/// Verifies the password and issues a token. A failure is the same error and takes the same time, whether or not the
/// account exists. Both outcomes are recorded in the audit log.
pub async fn sign_in(
    platform: &Postgres,
    rate_limiter: &SignInRateLimiter,
    signer: &TokenSigner,
    SignIn { email, password, request }: &SignIn<'_>,
) -> Result<IssuedToken> {
    // Text that is not an e-mail address belongs to no account. It is refused like a wrong password.
    let address = EmailAddress::parse(email).ok();
    let account = address.as_ref().map_or(*email, EmailAddress::as_str);
    let attempt = Attempt { account, address: request.source_address.as_deref() };
    if let Some(excess) = rate_limiter.count(attempt).await? {
        if excess.is_first {
            let id = find_id(platform, address.as_ref()).await;
            record_excess(platform, request.actor(id.as_deref().unwrap_or(ANONYMOUS)), ACTION, excess).await;
        }
        metrics::count(Metric::SignInsLimited);
        return Err(excess.into());
    }
    // No connection is held while the password is verified, because that takes longer than all other work together.
    let found = find_credentials(platform, address.as_ref()).await?;
    let password_hash = found.as_ref().map(|credentials| credentials.password_hash.as_str());
    let is_verified = passwords::verify(password, password_hash).await?;
    let id = found.as_ref().map(|credentials| credentials.id.to_string());
    // The entry omits the e-mail address that was sent: it may be anything, even a mistyped password.
    let entry = AuditEntry::done(request.actor(id.as_deref().unwrap_or(ANONYMOUS)), ACTION, None, json!({}));
    let Some(credentials) = found.filter(|_| is_verified) else {
        metrics::count(Metric::SignInFailures);
        audit::store::insert(&platform.get().await?, &entry.refused()).await?;
        return Err(Error::Unauthenticated("E-mail or password is wrong"));
    };
    rate_limiter.record_success(attempt).await;
    let token = signer.sign(credentials.id, credentials.session_epoch, credentials.must_change_password)?;
    audit::store::insert(&platform.get().await?, &entry).await?;
    Ok(token)
}

async fn find_credentials(platform: &Postgres, email: Option<&EmailAddress>) -> Result<Option<StoredCredentials>> {
    let Some(email) = email else { return Ok(None) };
    store::find_credentials(&platform.get().await?, email).await
}

/// The id of the account, for an audit entry. An error is only logged.
async fn find_id(platform: &Postgres, email: Option<&EmailAddress>) -> Option<String> {
    match find_credentials(platform, email).await {
        Ok(credentials) => credentials.map(|credentials| credentials.id.to_string()),
        Err(error) => {
            tracing::error!(error = error.chain(), "reading the account of an attempt over the limit failed");
            None
        }
    }
}

/// Records an attempt over a limit. An error is only logged, because the attempt is refused in any case.
async fn record_excess(platform: &Postgres, actor: Actor<'_>, action: AuditAction, excess: Excess) {
    let details = json!({ "limit": excess.limit, "retry_after_seconds": excess.retry_after_seconds });
    let entry = AuditEntry::done(actor, action, None, details).refused();
    let inserted = async { audit::store::insert(&platform.get().await?, &entry).await }.await;
    if let Err(error) = inserted {
        tracing::error!(error = error.chain(), "recording an attempt over the limit in the audit log failed");
    }
}
