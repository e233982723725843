//! Signing in with e-mail address and password.

mod change_password;
mod rate_limit;

use serde_json::json;

use crate::{
    audit::{self, AuditEntry},
    auth::{IssuedToken, TokenSigner},
    clients::postgres::Postgres,
    error::{Error, Result},
    http::RequestInfo,
    passwords,
    super_admins::store,
    types::SuppliedPassword,
};

pub use self::{
    change_password::{ChangePassword, change_password},
    rate_limit::SignInRateLimiter,
};

const ACTION: &str = "admin.login";

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
    rate_limiter.check(email, request.source_address.as_deref()).await?;
    // No connection is held while the password is verified, because that takes longer than all other work together.
    let found = store::find_credentials(&platform.get().await?, email).await?;
    let password_hash = found.as_ref().map(|credentials| credentials.password_hash.as_str());
    let is_verified = passwords::verify(password, password_hash).await?;
    let id = found.as_ref().map(|credentials| credentials.id.to_string());
    // The entry omits the e-mail address that was sent: it may be anything, even a mistyped password.
    let entry = AuditEntry::done(request.actor(id.as_deref().unwrap_or("anonymous")), ACTION, None, json!({}));
    let Some(credentials) = found.filter(|_| is_verified) else {
        audit::store::insert(&platform.get().await?, &entry.refused()).await?;
        return Err(Error::Unauthenticated("E-mail or password is wrong"));
    };
    rate_limiter.reset(email).await;
    let token = signer.sign(credentials.id, credentials.session_epoch, credentials.must_change_password)?;
    audit::store::insert(&platform.get().await?, &entry).await?;
    Ok(token)
}
