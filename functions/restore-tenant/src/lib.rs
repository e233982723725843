//! `POST /api/super-admin/tenants/{id}/restore`: bring a tenant back that is being deleted.

use axum::extract::State;
use shared::{
    http::{IfMatch, Result, Routes, Started, TenantPath, WithOperation},
    routes,
    super_admins::{MayOperate, OperationContext},
    tenants::{self, RestoreTenant, RestoredTenant, Tenant},
};

pub fn routes(app: OperationContext) -> Routes {
    routes!(app: OperationContext => restore_tenant)
}

/// The description of the response's body.
type TenantWithOperation = WithOperation<Tenant>;

/// Restore a tenant organization
///
/// Takes a deletion back, before its `purge_after`. The tenant gets the status that it had before; an operation lets the platform's services in
/// again, if that was `active`. Nothing of the tenant was removed. Impersonations that ended do not begin again.
#[utoipa::path(
    post,
    path = "/api/super-admin/tenants/{id}/restore",
    params(TenantPath, IfMatch),
    responses(
        (status = 202, description = "The organization", body = TenantWithOperation,
            headers(
                ("location" = String, description = "URL of the tenant"),
                ("operation-location" = String, description = "URL of the operation that lets the services in again"),
                ("etag" = String, description = "The revision, for If-Match"),
            )),
        (status = 404, description = "No such tenant"),
    ),
    extensions(("x-conflicts" = json!(["tenant-not-restorable", "recovery-ended"]))),
    security(("bearer" = []))
)]
async fn restore_tenant(
    MayOperate(principal): MayOperate,
    TenantPath(id): TenantPath,
    if_match: IfMatch,
    State(app): State<OperationContext>,
) -> Result<Started<Tenant>> {
    let mut platform = app.auth.platform.get().await?;
    let command = RestoreTenant { actor: principal.actor(), id, if_match: &if_match };
    let RestoredTenant { tenant, operation_id } = tenants::restore(&mut platform, &command).await?;
    tokio::join!(app.dispatcher.send_provision(&platform, operation_id), app.dispatcher.poke_relay());
    Ok(tenant.started(operation_id))
}
