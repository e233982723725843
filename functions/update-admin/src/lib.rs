//! `PATCH /api/super-admin/admins/{id}`: change what an operator may do, disable or enable them, set another password
//! (JSON merge patch, RFC 7396). It holds at once: each request looks up anew what its operator may do.

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
    clients::redis::Redis,
    config::{ConfigError, FromEnv, QueueConfig, RedisConfig},
    error::Error,
    events::Dispatcher,
    http::{BodyErrors, Field, IdPath, IfMatch, JsonBody, Result, Routes, etag},
    passwords, revocations,
    revocations::{DenyList, EndReason, EndedImpersonation},
    routes,
    super_admins::{self, AuthContext, MayAdminister, Principal, SuperAdmin, SuperAdminStatus, store::Change},
    types::{NewPassword, SuperAdminId, SuperAdminRole},
};
use utoipa::ToSchema;

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// Who may do what, and the platform database.
    pub gate: AuthContext,
    /// Denies the tokens of impersonations that end.
    pub deny_list: Arc<DenyList>,
    /// Pokes the relay after a change.
    pub dispatcher: Arc<Dispatcher>,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            gate: AuthContext::from_env()?,
            deny_list: Arc::new(DenyList::new(Redis::connect(&RedisConfig::from_env()?)?)),
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
        })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => update_admin)
}

/// What is changed; what is left out stays.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct OperatorPatch {
    /// What they may do.
    #[deserr(default)]
    #[schema(value_type = Option<SuperAdminRole>, nullable = false)]
    role: Field<SuperAdminRole>,
    /// `disabled` ends their sessions and impersonations.
    #[deserr(default)]
    #[schema(value_type = Option<SuperAdminStatus>, nullable = false)]
    status: Field<SuperAdminStatus>,
    /// Another password; it ends their sessions.
    #[deserr(default)]
    #[schema(value_type = Option<String>, nullable = false, format = Password, min_length = 12, max_length = 128,
        example = "tidal-mango-orbit-42")]
    password: Field<NewPassword>,
}

/// Change an operator
///
/// It holds at once, whatever tokens there are. One active owner stays.
#[utoipa::path(
    patch,
    path = "/api/super-admin/admins/{id}",
    params(IdPath<SuperAdminId>, IfMatch),
    request_body(content = OperatorPatch, example = json!({"role": "viewer"})),
    responses(
        (status = 200, description = "Updated operator", body = SuperAdmin,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 404, description = "No such operator"),
        (status = 409, description = "The last owner stays; or the operator signs in at the identity provider and has no password here"),
    ),
    security(("bearer" = []))
)]
async fn update_admin(
    MayAdminister(admin): MayAdminister,
    IdPath(id): IdPath<SuperAdminId>,
    if_match: IfMatch,
    State(app): State<App>,
    JsonBody { value: patch, .. }: JsonBody<OperatorPatch>,
) -> Result<Response> {
    // No connection is held meanwhile: hashing takes longer than everything else together.
    let password_hash = match &patch.password.0 {
        Some(password) => Some(passwords::hash(password.expose()).await?),
        None => None,
    };
    let (operator, ended) = change(&app, &admin, id, &if_match, &patch, password_hash.as_deref()).await?;
    if !ended.is_empty() {
        let platform = app.gate.platform.get().await?;
        tokio::join!(app.dispatcher.poke_relay(), app.deny_list.deny(&platform, &ended));
    }
    let body = serde_json::to_vec(&operator).map_err(Error::internal)?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json), (header::ETAG, etag(operator.revision))], body).into_response())
}

/// Commits the change, the end of what the operator may not do any more, and the audit entry together. A patch that changes
/// nothing writes nothing.
async fn change(
    app: &App,
    admin: &Principal,
    id: SuperAdminId,
    if_match: &IfMatch,
    patch: &OperatorPatch,
    password_hash: Option<&str>,
) -> Result<(SuperAdmin, Vec<EndedImpersonation>), Error> {
    let mut connection = app.gate.platform.get().await?;
    let transaction = connection.transaction().await?;
    // Before the row, as all do.
    let owners = super_admins::store::lock_owners(&transaction).await?;
    let before = super_admins::store::find_for_update(&transaction, id).await?;
    if_match.check(before.revision, "operator")?;
    let change = Change { role: patch.role.0.unwrap_or(before.role), status: patch.status.0.unwrap_or(before.status) };
    let stays_owner = change.role == SuperAdminRole::Owner && change.status == SuperAdminStatus::Active;
    if owners == [id] && !stays_owner {
        return Err(Error::Conflict("This is the last owner, who stays one and is not disabled".to_owned()));
    }
    if let Some(password) = &patch.password.0 {
        if before.subject.is_some() {
            let detail = "The operator signs in at the identity provider, and has no password here";
            return Err(Error::Conflict(detail.to_owned()));
        }
        if password.is_guessable_from(&[&before.email]) {
            return Err(Error::invalid_body("/password", "is too easy to guess from the e-mail address"));
        }
    }
    if let Some(hash) = password_hash {
        super_admins::store::set_password(&transaction, id, hash).await?;
    }
    let is_same = change.role == before.role && change.status == before.status;
    if is_same && password_hash.is_none() {
        return Ok((before, Vec::new()));
    }
    let after = super_admins::store::update(&transaction, id, change).await?;
    let ended = match loss(&before, &after) {
        Some(reason) => revocations::end_of_super_admin(&transaction, id, reason, admin.actor()).await?,
        None => Vec::new(),
    };
    let details = json!({
        "admin_id": id, "before": shown(&before), "after": shown(&after), "password_set": password_hash.is_some(),
    });
    audit::store::insert(&transaction, &AuditEntry::done(admin.actor(), "admin.update", None, details)).await?;
    transaction.commit().await?;
    Ok((after, ended))
}

/// Why the operator's impersonations end, if they do: one may have been started with a right that is no more.
fn loss(before: &SuperAdmin, after: &SuperAdmin) -> Option<EndReason> {
    if after.status == SuperAdminStatus::Disabled {
        Some(EndReason::OperatorDisabled)
    } else {
        (!after.role.allows(before.role)).then_some(EndReason::OperatorRoleChanged)
    }
}

/// What the audit entry keeps of an operator: what a patch can change.
fn shown(operator: &SuperAdmin) -> serde_json::Value {
    json!({ "email": operator.email, "role": operator.role, "status": operator.status })
}
