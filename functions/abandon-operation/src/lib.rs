//! `POST /api/super-admin/operations/{id}/abandon`: roll an operation back.

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
    routes!(app: OperationContext => abandon_operation)
}

/// Abandon an operation
///
/// Rolls the operation back instead of trying it further: everything that it created is removed, and the tenant becomes `failed`. This is
/// final. A worker that is at it has no effect any more. Abandoning an operation that is being rolled back only makes it due.
#[utoipa::path(
    post,
    path = "/api/super-admin/operations/{id}/abandon",
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
async fn abandon_operation(
    MayOperate(principal): MayOperate,
    IdPath(id): IdPath<OperationId>,
    State(app): State<OperationContext>,
) -> Result<Tagged<Operation>> {
    let command = ManageOperation { actor: principal.actor(), id };
    let operation = operations::abandon(&app.auth.platform, &app.dispatcher, command).await?;
    let revision = operation.revision;
    Ok(Tagged(operation, revision))
}
