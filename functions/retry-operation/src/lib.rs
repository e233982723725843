//! `POST /api/super-admin/operations/{id}/retry`: make an operation due at once.

use axum::extract::State;
use shared::{
    http::{IdPath, Result, Routes, Tagged},
    operations::{self, ManageOperation, Operation},
    routes,
    super_admins::{MayOperate, OperationContext},
    types::OperationId,
};

/// The function's one route.
pub fn routes(app: OperationContext) -> Routes {
    routes!(app: OperationContext => retry_operation)
}

/// Retry an operation now
///
/// Makes the operation due at once, however long it would have waited after its last fault. Without this request it is tried again by
/// itself, so this only helps after the cause was removed. An operation that has failed cannot be retried: retry the tenant.
#[utoipa::path(
    post,
    path = "/api/super-admin/operations/{id}/retry",
    params(IdPath<OperationId>),
    responses(
        (status = 200, description = "The operation with its steps", body = Operation, headers(
            ("etag" = String, description = "The revision, for If-None-Match"),
        )),
        (status = 404, description = "No such operation"),
    ),
    extensions(("x-conflicts" = json!(["operation-ended"]))),
    security(("bearer" = []))
)]
async fn retry_operation(
    MayOperate(principal): MayOperate,
    IdPath(id): IdPath<OperationId>,
    State(app): State<OperationContext>,
) -> Result<Tagged<Operation>> {
    let command = ManageOperation { actor: principal.actor(), id };
    let operation = operations::retry(&app.auth.platform, &app.dispatcher, command).await?;
    let revision = operation.revision;
    Ok(Tagged(operation, revision))
}
