//! `POST /api/super-admin/auth/change-password`: an operator changes their own password. Every other session of theirs ends.

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    http::header,
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use secrecy::SecretString;
use serde_json::json;
use shared::{
    audit::{self, AuditEntry},
    auth::{IssuedToken, TokenSigner},
    clients::redis::Redis,
    config::{ConfigError, FromEnv, RedisConfig, SigningConfig, TokenConfig},
    error::Error,
    http::{BodyErrors, JsonBody, Result, Routes},
    passwords, routes,
    super_admins::{self, AnySuperAdmin, AuthContext, Principal, SignInRateLimiter},
    types::{NewPassword, SuperAdminId},
};
use utoipa::ToSchema;

const ACTION: &str = "admin.change_password";

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// Who may do what, and the platform database.
    pub gate: AuthContext,
    /// Counts attempts.
    pub throttle: Arc<SignInRateLimiter>,
    /// Signs tokens.
    pub signer: Arc<TokenSigner>,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let tokens = TokenConfig::from_env()?;
        Ok(Self {
            gate: AuthContext::from_env()?,
            throttle: Arc::new(SignInRateLimiter::new(Redis::connect(&RedisConfig::from_env()?)?)),
            signer: Arc::new(TokenSigner::new(&SigningConfig::from_env()?, &tokens)?),
        })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => change_password)
}

/// The password that is, and the one that is to be.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct PasswordChange {
    /// The password that is.
    #[deserr(from(String) = SecretString::from)]
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    current_password: SecretString,
    /// The one that is to be: length counts, composition does not; what is easy to guess is refused.
    new_password: NewPassword,
}

/// Change your own password
///
/// Every session of yours ends, but for the one that begins with the token of the answer.
#[utoipa::path(
    post,
    path = "/api/super-admin/auth/change-password",
    request_body = PasswordChange,
    responses(
        (status = 200, description = "A bearer token for the session that goes on", body = IssuedToken),
        (status = 409, description = "You sign in at the identity provider and have no password here"),
        (status = 429, description = "Too many attempts"),
    ),
    security(("bearer" = []))
)]
async fn change_password(
    AnySuperAdmin(admin): AnySuperAdmin,
    State(app): State<App>,
    JsonBody { value: change, .. }: JsonBody<PasswordChange>,
) -> Result<Response> {
    let (Some(email), Ok(id)) = (&admin.email, admin.id.parse::<SuperAdminId>()) else {
        return Err(elsewhere().into());
    };
    if change.new_password.is_guessable_from(&[email]) {
        return Err(Error::invalid_body("/new_password", "is too easy to guess from your e-mail address").into());
    }
    app.throttle.admit(&admin.id, admin.actor().source_address).await?;
    let found =
        super_admins::store::find_own_credentials(&app.gate.platform.get().await?, id).await?.ok_or_else(elsewhere)?;
    if !passwords::verify(&change.current_password, Some(&found.password_hash)).await? {
        let entry = AuditEntry::done(admin.actor(), ACTION, None, json!({})).refused();
        audit::store::insert(&app.gate.platform.get().await?, &entry).await?;
        return Err(Error::invalid_body("/current_password", "is not your password").into());
    }
    app.throttle.forget(&admin.id).await;
    let hash = passwords::hash(change.new_password.expose()).await?;
    let session_epoch = set(&app, &admin, id, &hash).await?;
    let issued = app.signer.sign(id, session_epoch)?;
    let body = serde_json::to_vec(&issued).map_err(Error::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

fn elsewhere() -> Error {
    Error::Conflict("You sign in at the identity provider, and have no password here".to_owned())
}

/// Commits the password, the end of the sessions and the audit entry together.
async fn set(app: &App, admin: &Principal, id: SuperAdminId, password_hash: &str) -> Result<i32, Error> {
    let mut connection = app.gate.platform.get().await?;
    let transaction = connection.transaction().await?;
    let session_epoch = super_admins::store::set_password(&transaction, id, password_hash).await?;
    audit::store::insert(&transaction, &AuditEntry::done(admin.actor(), ACTION, None, json!({}))).await?;
    transaction.commit().await?;
    Ok(session_epoch)
}
