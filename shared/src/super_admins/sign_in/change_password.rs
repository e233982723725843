//! A super-admin changes the own password.

use serde_json::json;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    auth::{IssuedToken, TokenSigner},
    clients::postgres::Postgres,
    error::{Conflict, Error, Result},
    passwords,
    super_admins::{
        Principal, SignInRateLimiter, check_new_password,
        sign_in::{Attempt, record_excess},
        store,
    },
    telemetry::metrics::{self, Metric},
    types::{FaultCode, InvalidValue, NewPassword, SuperAdminId, SuppliedPassword},
};

const ACTION: AuditAction = AuditAction::AdminChangePassword;

pub struct ChangePassword<'a> {
    pub principal: &'a Principal,
    pub current_password: &'a SuppliedPassword,
    pub new_password: &'a NewPassword,
}

/// Ends every session of the principal and issues a token for a new one. Attempts are limited as in
/// [`sign_in`](super::sign_in), because the current password could be guessed here too.
pub async fn change_password(
    platform: &Postgres,
    rate_limiter: &SignInRateLimiter,
    signer: &TokenSigner,
    ChangePassword { principal, current_password, new_password }: &ChangePassword<'_>,
) -> Result<IssuedToken> {
    let (Some(email), Ok(id)) = (&principal.email, principal.id.parse::<SuperAdminId>()) else {
        return Err(no_password());
    };
    // Otherwise a temporary password could stay.
    if new_password.expose() == current_password.expose() {
        return Err(Error::invalid_body(
            "/new_password",
            InvalidValue::new(FaultCode::WeakPassword, "must differ from the current password"),
        ));
    }
    check_new_password(new_password, email, "/new_password")?;
    let attempt = Attempt { account: &principal.id, address: principal.actor().source_address };
    if let Some(excess) = rate_limiter.count(attempt).await? {
        if excess.is_first {
            record_excess(platform, principal.actor(), ACTION, excess).await;
        }
        metrics::count(Metric::SignInsLimited);
        return Err(excess.into());
    }
    let credentials = store::find_own_credentials(&platform.get().await?, id).await?.ok_or_else(no_password)?;
    let entry = AuditEntry::done(principal.actor(), ACTION, None, json!({}));
    if !passwords::verify(current_password, Some(&credentials.password_hash)).await? {
        audit::store::insert(&platform.get().await?, &entry.refused()).await?;
        return Err(Error::invalid_body(
            "/current_password",
            InvalidValue::new(FaultCode::WrongPassword, "is not your password"),
        ));
    }
    rate_limiter.record_success(attempt).await;
    let password_hash = passwords::hash(new_password.expose()).await?;
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    // An owner may have set a password or disabled the account since the current password was verified.
    let session_epoch = store::set_own_password(&transaction, id, &password_hash, credentials.session_epoch)
        .await?
        .ok_or(Error::Unauthenticated("The session has ended; sign in again"))?;
    audit::store::insert(&transaction, &entry).await?;
    transaction.commit().await?;
    signer.sign(id, session_epoch, false)
}

fn no_password() -> Error {
    Conflict::NoPassword.into()
}
