//! `GET /api/super-admin/overview`: the figures of the console's first page.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use shared::{
    config::{ConfigError, FromEnv, RedisConfig},
    http::{Json, Result, Routes},
    overview::{self, LatestDeadLetters, Overview},
    routes,
    super_admins::{AuthContext, MayRead},
};

/// The dependencies of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub dead_letters: Arc<LatestDeadLetters>,
}

impl App {
    /// Reads the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let dead_letters = LatestDeadLetters::connect(&RedisConfig::from_env()?, "")?;
        Ok(Self { auth: AuthContext::from_env()?, dead_letters: Arc::new(dead_letters) })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => get_overview)
}

/// Get the overview
///
/// The state of the platform in figures: health, tenants, provisionings and operations of the last 24 hours, pending messages, dead
/// letters, the tenants that use most and those over a limit, and what was done today. Each part states when it was measured. If the
/// newest report on health cannot be read, the number of dead letters is `null`, and everything else is returned.
#[utoipa::path(
    get,
    path = "/api/super-admin/overview",
    responses((status = 200, description = "The figures", body = Overview)),
    security(("bearer" = []))
)]
async fn get_overview(reader: MayRead, State(dead_letters): State<Arc<LatestDeadLetters>>) -> Result<Json<Overview>> {
    Ok(Json(reader.admit(overview::read(reader.client(), &dead_letters)).await?))
}
