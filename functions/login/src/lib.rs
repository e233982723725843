//! `POST /api/super-admin/auth/login`: a super-admin signs in with e-mail and password and gets a bearer token.

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
    clients::{postgres::Postgres, redis::Redis},
    config::{ConfigError, FromEnv, PostgresConfig, RedisConfig, SigningConfig, TokenConfig},
    error::Error,
    http::{BodyErrors, JsonBody, RequestInfo, Result, Routes},
    passwords, routes,
    super_admins::{self, SignInRateLimiter},
};
use utoipa::ToSchema;

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// The platform database.
    pub platform: Postgres,
    /// Counts attempts.
    pub throttle: Arc<SignInRateLimiter>,
    /// Signs tokens.
    pub signer: Arc<TokenSigner>,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            platform: Postgres::connect(&PostgresConfig::from_env()?)?,
            throttle: Arc::new(SignInRateLimiter::new(Redis::connect(&RedisConfig::from_env()?)?)),
            signer: Arc::new(TokenSigner::new(&SigningConfig::from_env()?, &TokenConfig::from_env()?)?),
        })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => login)
}

/// Who signs in. Nothing is said of what an account's e-mail or password must look like.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct Credentials {
    /// E-mail, without regard to case.
    #[schema(format = Email, example = "owner@landlord.example")]
    email: String,
    /// Password.
    #[deserr(from(String) = SecretString::from)]
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    password: SecretString,
}

/// Sign in
///
/// Gives a bearer token for the e-mail and the password of a super-admin. Where the platform has an identity provider, its
/// tokens are accepted too.
#[utoipa::path(
    post,
    path = "/api/super-admin/auth/login",
    request_body = Credentials,
    responses(
        (status = 200, description = "A bearer token", body = IssuedToken),
        (status = 401, description = "E-mail or password is wrong"),
        (status = 429, description = "Too many attempts on this account or from this address"),
    ),
    security(())
)]
async fn login(
    info: RequestInfo,
    State(app): State<App>,
    JsonBody { value: credentials, .. }: JsonBody<Credentials>,
) -> Result<Response> {
    app.throttle.admit(&credentials.email, info.source_address.as_deref()).await?;
    let found = super_admins::store::find_credentials(&app.platform.get().await?, &credentials.email).await?;
    // Without an account the same work is done, so that the time tells nothing.
    let stored = found.as_ref().map(|found| found.password_hash.as_str());
    let verified = passwords::verify(&credentials.password, stored).await?;
    let known = found.as_ref().map(|found| found.id);
    let Some(admin) = found.filter(|_| verified) else {
        // Whether there is such an account, this takes as long; and what was typed may be anything, a password too.
        let id = known.map_or_else(|| "anonymous".to_owned(), |id| id.to_string());
        let entry = AuditEntry::done(info.actor(&id), "admin.login", None, json!({})).refused();
        audit::store::insert(&app.platform.get().await?, &entry).await?;
        return Err(Error::Unauthenticated("E-mail or password is wrong").into());
    };
    app.throttle.forget(&credentials.email).await;
    let issued = app.signer.sign(admin.id, admin.session_epoch)?;
    let id = admin.id.to_string();
    let entry = AuditEntry::done(info.actor(&id), "admin.login", None, json!({}));
    audit::store::insert(&app.platform.get().await?, &entry).await?;
    let body = serde_json::to_vec(&issued).map_err(Error::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}
