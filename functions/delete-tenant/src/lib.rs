//! `DELETE /api/super-admin/tenants/{id}`: delete a tenant, which can be restored for some days.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use deserr::Deserr;
use shared::{
    clients::redis::Redis,
    config::{ConfigError, FromEnv, RedisConfig},
    events::dispatch::Dispatcher,
    http::{BodyErrors, Field, IfMatch, JsonBody, Query, Result, Routes, Started, TenantPath, WithOperation},
    query_parameters,
    revocations::live_list::LiveList,
    routes,
    super_admins::{AuthContext, MayAdminister, OperationContext},
    tenants::{self, DeleteTenant, DeletedTenant, RecoveryDays, Tenant},
    types::{Reason, Slug},
};
use utoipa::ToSchema;

/// State of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub dispatcher: Arc<Dispatcher>,
    /// Denies the tokens of impersonations in the tenant.
    pub live_list: Arc<LiveList>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        let OperationContext { auth, dispatcher } = OperationContext::from_env()?;
        Ok(Self { auth, dispatcher, live_list: Arc::new(LiveList::new(Redis::connect(&RedisConfig::from_env()?)?)) })
    }
}

pub fn routes(app: App) -> Routes {
    routes!(app: App => delete_tenant)
}

query_parameters! {
    /// How the caller shows that this tenant is meant.
    #[derive(Debug, Clone, Default)]
    pub struct DeletionParameters {
        /// The slug of the tenant. Required, unless the header If-Match is sent
        #[example = "kopi-kenangan"]
        pub confirm: Option<Slug>,
    }
}

/// A deletion.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct DeletionRequest {
    /// Why the tenant is deleted.
    reason: Reason,
    /// For how many days the tenant can be restored.
    #[deserr(default)]
    recovery_days: Field<RecoveryDays>,
    /// Whether the tenant is exported after `recovery_days`. Nothing is removed before the export is complete; until then, the tenant can still
    /// be restored. The files are kept as long as those of every export.
    #[deserr(default)]
    #[schema(required = false, default = false)]
    export: bool,
}

/// The description of the response's body.
type TenantWithOperation = WithOperation<Tenant>;

/// Delete a tenant organization
///
/// At once, nobody may use the tenant any more: the event `tenant.deletion_requested` is sent, impersonations end, and the platform's
/// services lose their access to its databases. An operation that works on the tenant is superseded. Only a promotion is not: until it
/// has copied all objects, the deletion of the copy and of its original is refused. For `recovery_days`, the slug stays reserved, and
/// `POST /tenants/{id}/restore` brings everything back. Then an operation `purge` removes both databases, all objects with every version,
/// and the keys in Redis; the tenant becomes `deleted`, and `GET /tenants/{id}/receipt` returns the receipt. A tenant that was never active
/// is removed at once. With `export`, the tenant is exported immediately before the removal, and the export remains until it expires:
/// `GET /tenants/{id}/exports`. All other exports of the tenant are removed. To get files earlier, export the tenant before its deletion,
/// and download them before the removal.
#[utoipa::path(
    delete,
    path = "/api/super-admin/tenants/{id}",
    params(TenantPath, DeletionParameters, IfMatch),
    request_body(content = DeletionRequest, example = json!({"reason": "The customer has cancelled the contract", "recovery_days": 7})),
    responses(
        (status = 202, description = "The organization (deleting)", body = TenantWithOperation,
            headers(
                ("location" = String, description = "URL of the tenant"),
                ("operation-location" = String, description = "URL of the operation that removes the tenant"),
                ("etag" = String, description = "The revision, for If-Match"),
            )),
        (status = 404, description = "No such tenant"),
    ),
    extensions(("x-conflicts" = json!(["tenant-deletion-begun", "tenant-not-active", "operation-running"]))),
    security(("bearer" = []))
)]
async fn delete_tenant(
    MayAdminister(principal): MayAdminister,
    TenantPath(id): TenantPath,
    Query(parameters): Query<DeletionParameters>,
    if_match: IfMatch,
    State(app): State<App>,
    JsonBody { value: body, .. }: JsonBody<DeletionRequest>,
) -> Result<Started<Tenant>> {
    let mut platform = app.auth.platform.get().await?;
    let command = DeleteTenant {
        actor: principal.actor(),
        id,
        confirm: parameters.confirm.as_ref().map(Slug::as_str),
        if_match: &if_match,
        reason: &body.reason,
        recovery: body.recovery_days.0.unwrap_or_default(),
        export: body.export,
    };
    let DeletedTenant { tenant, operation_id, ended } = tenants::delete(&mut platform, &command).await?;
    tokio::join!(
        app.dispatcher.send_provision(&platform, operation_id),
        app.dispatcher.poke_relay(),
        app.live_list.deny(&platform, &ended),
    );
    Ok(tenant.started(operation_id))
}
