//! `POST /api/super-admin/auth/change-password`: a super-admin changes the own password. All other sessions end.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use deserr::Deserr;
use shared::{
    auth::{IssuedToken, TokenSigner},
    clients::redis::Redis,
    config::{ConfigError, FromEnv, RedisConfig, SigningConfig, TokenConfig},
    http::{BodyErrors, Json, JsonBody, Result, Routes},
    routes,
    super_admins::{self, AuthContext, ChangePassword, MayChangePassword, SignInRateLimiter},
    types::{NewPassword, SuppliedPassword},
};
use utoipa::ToSchema;

#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub rate_limiter: Arc<SignInRateLimiter>,
    pub signer: Arc<TokenSigner>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        let tokens = TokenConfig::from_env()?;
        Ok(Self {
            auth: AuthContext::from_env()?,
            rate_limiter: Arc::new(SignInRateLimiter::new(Redis::connect(&RedisConfig::from_env()?)?)),
            signer: Arc::new(TokenSigner::new(&SigningConfig::from_env()?, &tokens)?),
        })
    }
}

pub fn routes(app: App) -> Routes {
    routes!(app: App => change_password)
}

/// The current password and the new one.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct PasswordChange {
    /// The current password.
    current_password: SuppliedPassword,
    /// The new password. It must differ from the current one, be long and hard to guess; no kinds of characters are required.
    new_password: NewPassword,
}

/// Change your own password
///
/// All your sessions end. The response contains a token for a new session. After somebody else has set your password, this is
/// the only operation that your session may use.
#[utoipa::path(
    post,
    path = "/api/super-admin/auth/change-password",
    request_body = PasswordChange,
    responses(
        (status = 200, description = "A bearer token for a new session", body = IssuedToken),
        (status = 429, description = "Too many attempts"),
    ),
    extensions(("x-conflicts" = json!(["no-password"]))),
    security(("bearer" = []))
)]
async fn change_password(
    MayChangePassword(principal): MayChangePassword,
    State(app): State<App>,
    JsonBody { value: change, .. }: JsonBody<PasswordChange>,
) -> Result<Json<IssuedToken>> {
    let command = ChangePassword {
        principal: &principal,
        current_password: &change.current_password,
        new_password: &change.new_password,
    };
    let token = super_admins::change_password(&app.auth.platform, &app.rate_limiter, &app.signer, &command).await?;
    Ok(Json(token))
}
