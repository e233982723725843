//! `PATCH /api/super-admin/tenants/{id}`: change a tenant's name, limits, `on_limit` or status (JSON merge patch, RFC 7396).

use std::sync::Arc;

use axum::extract::{FromRef, State};
use deserr::Deserr;
use shared::{
    clients::{postgres::Connection, redis::Redis},
    config::{ConfigError, FromEnv, QueueConfig, RedisConfig},
    error::{Error, InputError, Location},
    events::dispatch::Dispatcher,
    http::{BodyErrors, Field, IfMatch, JsonBody, LimitsBody, Result, Routes, Tagged, TenantPath},
    revocations::live_list::LiveList,
    routes,
    super_admins::{AuthContext, MayOperate},
    tenants::{
        self, OnLimit, SettableTenantStatus, SuspensionComment, SuspensionReason, Tenant, TenantName, TenantUpdate,
        UpdateTenant,
    },
    types::{FaultCode, InvalidValue, LimitsPatch, TenantId},
    usage,
};
use utoipa::ToSchema;

/// State of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub gate: AuthContext,
    pub dispatcher: Arc<Dispatcher>,
    /// Denies the tokens of impersonations in a tenant that was suspended.
    pub live_list: Arc<LiveList>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            gate: AuthContext::from_env()?,
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
            live_list: Arc::new(LiveList::new(Redis::connect(&RedisConfig::from_env()?)?)),
        })
    }
}

pub fn routes(app: App) -> Routes {
    routes!(app: App => update_tenant)
}

/// Changes of a tenant. Absent fields stay as they are.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct TenantPatch {
    /// Display name.
    #[deserr(default)]
    name: Field<TenantName>,
    /// Resource limits, each of them optional; `null` means unlimited.
    #[deserr(default)]
    limits: Field<LimitsBody>,
    /// What happens when the tenant reaches a limit.
    #[deserr(default)]
    on_limit: Field<OnLimit>,
    /// `active` if the tenant is suspended, or `suspended` if it is active.
    #[deserr(default)]
    status: Field<SettableTenantStatus>,
    /// Why the tenant is suspended; only with the status `suspended`. Without it, the reason is `other`.
    #[deserr(default)]
    reason: Field<SuspensionReason>,
    /// More about the suspension; only with the status `suspended`.
    #[deserr(default)]
    comment: Field<SuspensionComment>,
}

impl TenantPatch {
    /// Fails if the patch explains a suspension that it does not contain.
    fn check(&self) -> Result<()> {
        let suspends = matches!(self.status.0, Some(SettableTenantStatus::Suspended));
        let explained = [("/reason", self.reason.0.is_some()), ("/comment", self.comment.0.is_some())];
        let errors: Vec<_> = explained
            .into_iter()
            .filter(|(_, is_given)| *is_given && !suspends)
            .map(|(pointer, _)| {
                let rule = InvalidValue::new(FaultCode::ConflictingFields, "only allowed with the status `suspended`");
                InputError::new(Location::Body(pointer.to_owned()), rule)
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors).into()) }
    }
}

/// Update a tenant organization
///
/// Changes the name, individual limits, what happens at a limit, and the status (between `active` and `suspended`) by a JSON merge patch. Absent fields
/// stay as they are, and a patch that changes nothing does not change the revision.
///
/// A suspension ends the impersonations in the tenant, and cuts the platform's services off from its databases: an operation
/// `suspend` takes their right to connect and ends their sessions, within a second if the databases work. `suspension` of the tenant shows which
/// services have confirmed that they refuse its users. Setting `active` undoes all of it.
#[utoipa::path(
    patch,
    path = "/api/super-admin/tenants/{id}",
    params(TenantPath, IfMatch),
    request_body(content = TenantPatch, example = json!({"name": "Kopi Kenangan", "limits": {"max_agents": 50, "max_contacts": null}})),
    responses(
        (status = 200, description = "Updated organization", body = Tenant,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 404, description = "No such tenant"),
    ),
    extensions(("x-conflicts" = json!(["tenant-status-not-settable", "operation-running", "tenant-deletion-begun"]))),
    security(("bearer" = []))
)]
async fn update_tenant(
    MayOperate(principal): MayOperate,
    TenantPath(id): TenantPath,
    if_match: IfMatch,
    State(app): State<App>,
    JsonBody { value: patch, .. }: JsonBody<TenantPatch>,
) -> Result<Tagged<Tenant>> {
    patch.check()?;
    let mut platform = app.gate.platform.get().await?;
    let command = UpdateTenant {
        actor: principal.actor(),
        id,
        if_match: &if_match,
        name: patch.name.0,
        limits: LimitsPatch::from(patch.limits.0.unwrap_or_default()),
        on_limit: patch.on_limit.0,
        status: patch.status.0.map(SettableTenantStatus::status),
        reason: patch.reason.0.unwrap_or(SuspensionReason::Other),
        comment: patch.comment.0,
    };
    let tenant = match tenants::update(&mut platform, &command).await? {
        TenantUpdate::Unchanged(tenant) => tenant,
        TenantUpdate::Updated { tenant, ended, operation_id } => {
            let start = async {
                if let Some(operation_id) = operation_id {
                    app.dispatcher.send_provision(&platform, operation_id).await;
                }
            };
            tokio::join!(start, app.dispatcher.poke_relay(), app.live_list.deny(&platform, &ended));
            if command.limits != LimitsPatch::default() || command.on_limit.is_some() {
                compare_usage(&app, &mut platform, id).await;
            }
            tenant
        }
    };
    let revision = tenant.revision;
    Ok(Tagged(tenant, revision))
}

/// Compares the tenant's usage with its new limits, or announces reached limits under the new `on_limit`. If this fails, the next measurement does it.
async fn compare_usage(app: &App, platform: &mut Connection, id: TenantId) {
    match usage::compare_with_limits(platform, id).await {
        Ok(0) => {}
        Ok(_) => app.dispatcher.poke_relay().await,
        Err(error) => tracing::warn!(tenant.id = %id, error = error.chain(), "comparing usage with limits failed"),
    }
}
