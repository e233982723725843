//! `PATCH /api/super-admin/tenants/{id}`: change a tenant's name, limits or status (JSON merge patch, RFC 7396).

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use serde_json::json;
use shared::{
    audit::{self, AuditEntry},
    clients::{postgres::Connection, redis::Redis},
    config::{ConfigError, FromEnv, QueueConfig, RedisConfig},
    error::Error,
    events::{self, Dispatcher},
    http::{BodyErrors, Field, IfMatch, JsonBody, LimitsBody, Result, Routes, TenantPath, etag},
    operations, revocations,
    revocations::{DenyList, EndedImpersonation},
    routes,
    super_admins::{AuthContext, MayOperate, Principal},
    tenants::{self, Tenant, TenantEvent, TenantName, TenantStatus},
    types::{LimitsPatch, TenantId},
};
use utoipa::ToSchema;

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// Who may do what, and the platform database.
    pub gate: AuthContext,
    /// Pokes the relay after a change.
    pub dispatcher: Arc<Dispatcher>,
    /// Denies the tokens of those who act in the names of a suspended tenant's users.
    pub deny_list: Arc<DenyList>,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            gate: AuthContext::from_env()?,
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
            deny_list: Arc::new(DenyList::new(Redis::connect(&RedisConfig::from_env()?)?)),
        })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => update_tenant)
}

/// What is changed; what is left out stays.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct TenantPatch {
    /// Name that people read.
    #[deserr(default)]
    name: Field<TenantName>,
    /// Limits, each on its own; `null` is unlimited.
    #[deserr(default)]
    limits: Field<LimitsBody>,
    /// `active` or `suspended`, from the other.
    #[deserr(default)]
    status: Field<TenantStatus>,
}

/// Update a tenant organization
///
/// Changes the name, the limits (each on its own) and the status (`active` or `suspended`, from the other), as a JSON merge
/// patch. What is left out stays, and a patch that changes nothing leaves the revision as it was.
#[utoipa::path(
    patch,
    path = "/api/super-admin/tenants/{id}",
    params(TenantPath, IfMatch),
    request_body(content = TenantPatch, example = json!({"name": "Kopi Kenangan", "limits": {"max_agents": 50, "max_contacts": null}})),
    responses(
        (status = 200, description = "Updated organization", body = Tenant,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 404, description = "No such tenant"),
        (status = 409, description = "The status cannot be set, or an operation runs"),
    ),
    security(("bearer" = []))
)]
async fn update_tenant(
    MayOperate(admin): MayOperate,
    TenantPath(id): TenantPath,
    if_match: IfMatch,
    State(app): State<App>,
    JsonBody { value: patch, .. }: JsonBody<TenantPatch>,
) -> Result<Response> {
    let mut platform = app.gate.platform.get().await?;
    let (tenant, changed) = change(&mut platform, &admin, id, &if_match, patch).await?;
    if let Some(ended) = changed {
        tokio::join!(app.dispatcher.poke_relay(), app.deny_list.deny(&platform, &ended));
    }
    let body = serde_json::to_vec(&tenant).map_err(Error::internal)?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json), (header::ETAG, etag(tenant.revision))], body).into_response())
}

/// Commits the change, its event and its audit entry together, and the ends of impersonations, which are given, where the
/// tenant leaves `active`. A patch that changes nothing writes nothing.
async fn change(
    platform: &mut Connection,
    admin: &Principal,
    id: TenantId,
    if_match: &IfMatch,
    patch: TenantPatch,
) -> Result<(Tenant, Option<Vec<EndedImpersonation>>), Error> {
    let transaction = platform.transaction().await?;
    let before = tenants::store::find_for_update(&transaction, id).await?;
    if_match.check(before.revision, "tenant")?;
    operations::store::refuse_if_open(&transaction, id).await?;
    let status = match patch.status.0 {
        Some(wanted) => allowed(before.status, wanted)?,
        None => before.status,
    };
    let name = patch.name.0.map_or_else(|| before.name.clone(), |name| name.as_str().to_owned());
    let limits = LimitsPatch::from(patch.limits.0.unwrap_or_default()).apply(before.limits);
    if name == before.name && limits == before.limits && status == before.status {
        return Ok((before, None));
    }
    let after = tenants::store::update(&transaction, id, &name, &limits, status).await?;
    for kind in kinds(&before, &after) {
        events::store::insert_event(&transaction, &kind.of(&after)).await?;
    }
    let entry = AuditEntry::done(
        admin.actor(),
        "tenant.update",
        id,
        json!({ "before": shown(&before), "after": shown(&after) }),
    );
    audit::store::insert(&transaction, &entry).await?;
    let ended = if before.status == TenantStatus::Active && after.status != TenantStatus::Active {
        revocations::end_of_tenant(&transaction, id, admin.actor()).await?
    } else {
        Vec::new()
    };
    transaction.commit().await?;
    Ok((after, Some(ended)))
}

/// `wanted`, where an operator may set it from `current`.
fn allowed(current: TenantStatus, wanted: TenantStatus) -> Result<TenantStatus, Error> {
    let settable = current.settable();
    if settable.contains(&wanted) {
        return Ok(wanted);
    }
    let possible = match settable {
        [] => "no status can be set".to_owned(),
        some => format!("only {} can be set", some.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ")),
    };
    Err(Error::Conflict(format!("The tenant is {current}, from where {possible}; {wanted} cannot")))
}

/// The events of a change, in the order in which they are told.
fn kinds(before: &Tenant, after: &Tenant) -> Vec<TenantEvent> {
    let mut kinds = Vec::new();
    if before.name != after.name || before.limits != after.limits {
        kinds.push(TenantEvent::Updated);
    }
    match (before.status, after.status) {
        (TenantStatus::Active, TenantStatus::Suspended) => kinds.push(TenantEvent::Suspended),
        (TenantStatus::Suspended, TenantStatus::Active) => kinds.push(TenantEvent::Resumed),
        _ => {}
    }
    kinds
}

/// What the audit entry keeps of a tenant: what a patch can change.
fn shown(tenant: &Tenant) -> serde_json::Value {
    json!({ "name": tenant.name, "limits": tenant.limits, "status": tenant.status })
}
