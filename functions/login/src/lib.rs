//! `POST /api/super-admin/auth/login`: a super-admin signs in with e-mail address and password and gets a bearer token.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use deserr::Deserr;
use shared::{
    auth::{IssuedToken, TokenSigner},
    clients::{postgres::Postgres, redis::Redis},
    config::{ConfigError, FromEnv, RedisConfig, SigningConfig, TokenConfig},
    http::{BodyErrors, Json, JsonBody, RequestInfo, Result, Routes},
    routes,
    super_admins::{SignIn, SignInRateLimiter, sign_in},
    types::SuppliedPassword,
};
use utoipa::ToSchema;

#[derive(Clone, FromRef)]
pub struct App {
    pub platform: Postgres,
    pub rate_limiter: Arc<SignInRateLimiter>,
    pub signer: Arc<TokenSigner>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            platform: Postgres::platform_from_env()?,
            rate_limiter: Arc::new(SignInRateLimiter::new(Redis::connect(&RedisConfig::from_env()?)?)),
            signer: Arc::new(TokenSigner::new(&SigningConfig::from_env()?, &TokenConfig::from_env()?)?),
        })
    }
}

pub fn routes(app: App) -> Routes {
    routes!(app: App => login)
}

/// The credentials of a super-admin. They are compared as they are; no format is required.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct Credentials {
    /// E-mail address, regardless of case.
    #[schema(format = Email, example = "owner@landlord.example")]
    email: String,
    /// Password.
    password: SuppliedPassword,
}

/// Sign in
///
/// Returns a bearer token for the e-mail address and password of a super-admin. If the platform has an identity provider,
/// its tokens are accepted too. With a password that somebody else has set, the token is only accepted for changing it:
/// `must_change_password` is `true` then.
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
    request: RequestInfo,
    State(app): State<App>,
    JsonBody { value: credentials, .. }: JsonBody<Credentials>,
) -> Result<Json<IssuedToken>> {
    let command = SignIn { email: &credentials.email, password: &credentials.password, request: &request };
    let token = sign_in(&app.platform, &app.rate_limiter, &app.signer, &command).await?;
    Ok(Json(token))
}
