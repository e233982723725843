//! `POST /api/super-admin/dead-letters/redrive`: remove dead letters, and wake the operations that they name.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use deserr::Deserr;
use shared::{
    clients::sqs::Sqs,
    config::{ConfigError, FromEnv, QueueConfig},
    dead_letters::{DeadLetters, RedriveReport},
    http::{BodyErrors, Json, JsonBody, Result, Routes},
    routes,
    super_admins::{AuthContext, MayOperate},
};
use utoipa::ToSchema;

/// State of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub dead_letters: Arc<DeadLetters>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        let dead_letters = Arc::new(DeadLetters::new(Sqs::new(), QueueConfig::from_env()?));
        Ok(Self { auth: AuthContext::from_env()?, dead_letters })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => redrive_dead_letters)
}

/// How to redrive; may be absent.
#[derive(Debug, Default, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct RedriveRequest {
    /// Also remove messages that cannot be read, or that name an operation that does not exist.
    #[deserr(default)]
    #[schema(required = false, default = false)]
    remove_unknown: bool,
}

/// Redrive dead letters
///
/// Removes the messages about which nothing is left to do, and wakes the open operations that others name. Messages that cannot be read stay,
/// unless the request says otherwise. At most 500 messages of each queue.
#[utoipa::path(
    post,
    path = "/api/super-admin/dead-letters/redrive",
    request_body(content = Option<RedriveRequest>, example = json!({ "remove_unknown": false })),
    responses((status = 200, description = "What was done", body = RedriveReport)),
    security(("bearer" = []))
)]
async fn redrive_dead_letters(
    MayOperate(principal): MayOperate,
    State(app): State<App>,
    body: Option<JsonBody<Option<RedriveRequest>>>,
) -> Result<Json<RedriveReport>> {
    let RedriveRequest { remove_unknown } = body.and_then(|body| body.value).unwrap_or_default();
    Ok(Json(app.dead_letters.redrive(&app.auth.platform, principal.actor(), remove_unknown).await?))
}
