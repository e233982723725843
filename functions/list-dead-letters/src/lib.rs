//! `GET /api/super-admin/dead-letters`: list the messages that the queues gave up delivering.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use shared::{
    clients::sqs::Sqs,
    config::{ConfigError, FromEnv, QueueConfig},
    dead_letters::{DeadLetter, DeadLetters},
    http::{Json, Result, Routes},
    routes,
    super_admins::{AuthContext, MayRead},
};

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
    routes!(app: App => list_dead_letters)
}

/// List dead letters
///
/// Lists messages that a queue gave up delivering, at most 500 of each queue, the oldest first, and what a redrive does with each. A message
/// that was listed a moment ago may be absent.
#[utoipa::path(
    get,
    path = "/api/super-admin/dead-letters",
    responses((status = 200, description = "Array of dead letters", body = Vec<DeadLetter>)),
    security(("bearer" = []))
)]
async fn list_dead_letters(reader: MayRead, State(app): State<App>) -> Result<Json<Vec<DeadLetter>>> {
    reader.admit(async { Ok(()) }).await?;
    drop(reader);
    Ok(Json(app.dead_letters.list(&app.auth.platform).await?))
}
