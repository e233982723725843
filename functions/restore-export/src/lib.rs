//! `POST /api/super-admin/tenants/{id}/exports/{export_id}/restore`: restore an export into a new tenant.

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use shared::{
    clients::s3::Bucket,
    config::{ConfigError, FromEnv, S3Config},
    events::dispatch::Dispatcher,
    http::{
        BASE_PATH, BodyErrors, Field, Fingerprints, IdempotencyKey, IdempotentRequest, IdempotentResponse, JsonBody,
        Result, Routes, TenantExportPath, WithOperation,
    },
    restores::{self, RestoreExport, RestoredExport},
    routes,
    super_admins::{AuthContext, IdempotentOperationContext, MayAdminister},
    tenants::{Tenant, TenantName},
    types::{Reason, Slug},
};
use utoipa::ToSchema;

/// State of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub fingerprints: Fingerprints,
    pub dispatcher: Arc<Dispatcher>,
    /// Contains the manifest of the export.
    pub bucket: Arc<Bucket>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        let IdempotentOperationContext { auth, fingerprints, dispatcher } = IdempotentOperationContext::from_env()?;
        Ok(Self { auth, fingerprints, dispatcher, bucket: Arc::new(Bucket::connect(&S3Config::from_env()?)?) })
    }
}

pub fn routes(app: App) -> Routes {
    routes!(app: App => restore_export)
}

/// A restore.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct RestoreRequest {
    /// The slug of the new tenant; by default that of the exported tenant with a suffix.
    #[deserr(default)]
    slug: Field<Slug>,
    /// The name of the new tenant; by default that of the exported tenant.
    #[deserr(default)]
    name: Field<TenantName>,
    /// Why the export is restored.
    reason: Reason,
}

/// The description of the response's body.
type TenantWithOperation = WithOperation<Tenant>;

/// Restore an export
///
/// Creates a restored copy: a new tenant with databases and objects of its own, beside the tenant that was exported, which may be deleted. An
/// operation fills them from the export, and compares the counts and checksums. The copy ends `suspended` with the reason `restored_copy`, and
/// the platform's services have no access to it, because an active copy would do the work of its original a second time. Reactivate it to use it
/// as a tenant of its own, or let it take the place of its original with `POST /tenants/{id}/promote`.
#[utoipa::path(
    post,
    path = "/api/super-admin/tenants/{id}/exports/{export_id}/restore",
    params(TenantExportPath, IdempotencyKey),
    request_body(content = RestoreRequest, example = json!({"slug": "kopi-kenangan-restored", "reason": "Contacts were deleted by mistake on Monday"})),
    responses(
        (status = 202, description = "The restored copy (provisioning)", body = TenantWithOperation,
            headers(
                ("location" = String, description = "URL of the restored copy"),
                ("operation-location" = String, description = "URL of the operation that fills the copy"),
                ("etag" = String, description = "The revision, for If-Match"),
            )),
        (status = 404, description = "No such tenant or export"),
    ),
    extensions(("x-conflicts" = json!(["export-not-complete", "export-damaged", "slug-taken"]))),
    security(("bearer" = []))
)]
async fn restore_export(
    MayAdminister(principal): MayAdminister,
    TenantExportPath { tenant_id, export_id }: TenantExportPath,
    key: IdempotencyKey,
    State(app): State<App>,
    JsonBody { value: body, bytes }: JsonBody<RestoreRequest>,
) -> Result<Response> {
    let route = format!("POST {BASE_PATH}/tenants/{tenant_id}/exports/{export_id}/restore");
    let idempotent = IdempotentRequest::new(&app.fingerprints, &principal.id, route, key, &bytes)?;
    let mut platform = app.auth.platform.get().await?;
    let command = RestoreExport {
        actor: principal.actor(),
        tenant_id,
        export_id,
        slug: body.slug.0.as_ref(),
        name: body.name.0.as_ref(),
        reason: &body.reason,
    };
    let answer = idempotent
        .run(
            &mut platform,
            async |transaction| restores::restore(transaction, &app.bucket, &command).await,
            |RestoredExport { tenant, operation_id }| tenant.clone().started(*operation_id),
        )
        .await?;
    if let IdempotentResponse::First(restored, _) = &answer {
        tokio::join!(app.dispatcher.send_provision(&platform, restored.operation_id), app.dispatcher.poke_relay());
    }
    Ok(answer.into_response())
}
