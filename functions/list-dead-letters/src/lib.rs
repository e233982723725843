//! `GET /api/super-admin/dead-letters`: list the messages that the queues gave up delivering.

use axum::extract::State;
use shared::{
    dead_letters::{DeadLetter, DeadLetterContext},
    http::{Json, Result, Routes},
    routes,
    super_admins::MayRead,
};

/// The function's one route.
pub fn routes(context: DeadLetterContext) -> Routes {
    routes!(context: DeadLetterContext => list_dead_letters)
}

/// List dead letters
///
/// Lists messages that a queue gave up delivering, at most 100 of each queue, the oldest first, and what a redrive does with each. A message
/// that was listed a moment ago may be absent.
#[utoipa::path(
    get,
    path = "/api/super-admin/dead-letters",
    responses((status = 200, description = "Array of dead letters", body = Vec<DeadLetter>)),
    security(("bearer" = []))
)]
async fn list_dead_letters(reader: MayRead, State(context): State<DeadLetterContext>) -> Result<Json<Vec<DeadLetter>>> {
    reader.admit(async { Ok(()) }).await?;
    drop(reader);
    Ok(Json(context.dead_letters.list(&context.auth.platform).await?))
}
