//! `POST /api/super-admin/auth/exchange`: exchanges an authorization code of the identity provider for its access token.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use deserr::Deserr;
use shared::{
    auth::{AuthorizationCode, CodeExchange, CodeVerifier, ProviderToken, RedirectUri},
    config::{CodeExchangeConfig, ConfigError},
    error::{Conflict, Error},
    http::{BodyErrors, Json, JsonBody, Result, Routes},
    routes,
};
use utoipa::ToSchema;

/// The dependencies of the function.
#[derive(Clone, FromRef)]
pub struct App {
    /// `None` if the console is no client of an identity provider.
    pub exchange: Option<Arc<CodeExchange>>,
}

impl App {
    /// Reads the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::new(CodeExchangeConfig::from_env()?)
    }

    pub fn new(config: Option<CodeExchangeConfig>) -> Result<Self, ConfigError> {
        Ok(Self { exchange: config.map(CodeExchange::new).transpose()?.map(Arc::new) })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => exchange_code)
}

/// What the identity provider has sent to the console, and the proof that the console asked for it.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct CodeExchangeBody {
    /// The code. It works once.
    code: AuthorizationCode,
    /// The verifier of the challenge in the request for the code.
    code_verifier: CodeVerifier,
    /// The address to which the code was sent.
    redirect_uri: RedirectUri,
}

/// Exchange an authorization code
///
/// Returns the access token of the platform's identity provider for a code that it has issued to the console (RFC 6749, with PKCE). The API
/// accepts the token like one of its own, if it states or has a role. The provider alone can continue the session.
#[utoipa::path(
    post,
    path = "/api/super-admin/auth/exchange",
    request_body = CodeExchangeBody,
    responses(
        (status = 200, description = "The access token", body = ProviderToken),
        (status = 401, description = "The identity provider has refused the code"),
    ),
    extensions(("x-conflicts" = json!(["no-identity-provider"]))),
    security(())
)]
async fn exchange_code(
    State(app): State<App>,
    JsonBody { value: body, .. }: JsonBody<CodeExchangeBody>,
) -> Result<Json<ProviderToken>> {
    let exchange = app.exchange.ok_or(Error::Conflict(Conflict::NoIdentityProvider))?;
    Ok(Json(exchange.redeem(&body.code, &body.code_verifier, &body.redirect_uri).await?))
}
