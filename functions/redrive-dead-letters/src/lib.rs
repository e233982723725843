//! `POST /api/super-admin/dead-letters/redrive`: remove dead letters, and wake the operations that they name.

use axum::extract::State;
use deserr::Deserr;
use shared::{
    dead_letters::{DeadLetterContext, RedriveReport},
    http::{BodyErrors, Json, JsonBody, Result, Routes},
    routes,
    super_admins::MayOperate,
};
use utoipa::ToSchema;

/// The function's one route.
pub fn routes(context: DeadLetterContext) -> Routes {
    routes!(context: DeadLetterContext => redrive_dead_letters)
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
/// unless the request says otherwise. At most 100 messages of each queue: repeat the request until nothing is left.
#[utoipa::path(
    post,
    path = "/api/super-admin/dead-letters/redrive",
    request_body(content = Option<RedriveRequest>, example = json!({ "remove_unknown": false })),
    responses((status = 200, description = "What was done", body = RedriveReport)),
    security(("bearer" = []))
)]
async fn redrive_dead_letters(
    MayOperate(principal): MayOperate,
    State(context): State<DeadLetterContext>,
    body: Option<JsonBody<Option<RedriveRequest>>>,
) -> Result<Json<RedriveReport>> {
    let RedriveRequest { remove_unknown } = body.and_then(|body| body.value).unwrap_or_default();
    Ok(Json(context.dead_letters.redrive(&context.auth.platform, principal.actor(), remove_unknown).await?))
}
