//! `POST /api/super-admin/auth/refresh`: a super-admin gets a new token for the session of the old one.

use std::{sync::Arc, time::Duration};

use axum::extract::{FromRef, State};
use shared::{
    auth::{IssuedToken, TokenSigner},
    clients::redis::Redis,
    config::{ConfigError, FromEnv, RedisConfig, SessionConfig, SigningConfig, TokenConfig},
    http::{Json, Result, Routes},
    routes,
    super_admins::{self, AnySuperAdmin, AuthContext, RefreshSession, SignInRateLimiter},
};

/// The dependencies of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub rate_limiter: Arc<SignInRateLimiter>,
    pub signer: Arc<TokenSigner>,
    /// How long after the sign-in a session ends.
    pub max_age: Duration,
}

impl App {
    /// Reads the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let signing = SigningConfig::from_env()?;
        Ok(Self {
            auth: AuthContext::from_env()?,
            rate_limiter: Arc::new(SignInRateLimiter::new(Redis::connect(&RedisConfig::from_env()?)?)),
            signer: Arc::new(TokenSigner::new(&signing, &TokenConfig::from_env()?)?),
            max_age: SessionConfig::from_env()?.at_least(signing.ttl)?,
        })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => refresh_session)
}

/// Refresh your session
///
/// Returns another bearer token of the caller's session, which has not ended. The old token stays valid until it expires. A session ends
/// at the latest a time after the sign-in that the deployment sets (7 days by default): no token expires later, and after that this is
/// 401. A super-admin of the identity provider gets new tokens there.
#[utoipa::path(
    post,
    path = "/api/super-admin/auth/refresh",
    responses(
        (status = 200, description = "A bearer token of the same session", body = IssuedToken),
        (status = 429, description = "Too many refreshes"),
    ),
    extensions(("x-conflicts" = json!(["no-password"]))),
    security(("bearer" = []))
)]
async fn refresh_session(AnySuperAdmin(principal): AnySuperAdmin, State(app): State<App>) -> Result<Json<IssuedToken>> {
    let command = RefreshSession { principal: &principal, max_age: app.max_age };
    let token = super_admins::refresh_session(&app.auth.platform, &app.rate_limiter, &app.signer, &command).await?;
    Ok(Json(token))
}
