//! `POST /api/super-admin/users`: add a user to a tenant, in the tenant's own database.

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use serde_json::json;
use shared::{
    audit::{self, AuditEntry, AuditedChange},
    clients::{postgres::Connection, tenant_databases::TenantDatabases},
    config::{ConfigError, FromEnv, IdempotencyConfig, QueueConfig},
    error::Error,
    events::{self, Dispatcher},
    http::{
        BASE_PATH, BodyErrors, Created, Fingerprints, IdempotencyKey, IdempotentRequest, IdempotentResponse, JsonBody,
        JsonResponse, Replayable, Result, Routes,
    },
    passwords, routes,
    super_admins::{AuthContext, MayOperate, Principal},
    tenants::{self, store::TenantLocation},
    types::{EmailAddress, NewPassword, TenantId, UserId},
    users::{self, FullName, User, UserEvent, UserRole, store::NewUser},
};
use utoipa::ToSchema;

/// What the audit log calls it.
const ACTION: &str = "user.create";

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// Who may do what, and the platform database.
    pub gate: AuthContext,
    /// The databases of tenants.
    pub databases: TenantDatabases,
    /// Tells bodies with the same idempotency key apart.
    pub fingerprints: Fingerprints,
    /// Pokes the relay after a change.
    pub dispatcher: Arc<Dispatcher>,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            gate: AuthContext::from_env()?,
            databases: TenantDatabases::from_env()?,
            fingerprints: Fingerprints::new(&IdempotencyConfig::from_env()?),
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
        })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => create_user)
}

/// A user to be added to a tenant.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct UserRequest {
    /// The tenant.
    tenant_id: TenantId,
    /// E-mail address, unique in the tenant without regard to case.
    email: EmailAddress,
    /// Name that people read; one visible line.
    full_name: FullName,
    /// What they are to the tenant.
    role: UserRole,
    /// Password: length counts, composition does not; what is easy to guess is refused.
    password: NewPassword,
}

/// Add a user to a tenant
///
/// In the tenant's own database, as long as its `max_agents` leaves a seat. The user is active at once.
#[utoipa::path(
    post,
    path = "/api/super-admin/users",
    params(IdempotencyKey),
    request_body = UserRequest,
    responses(
        (status = 201, description = "The user, who is active", body = User,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 404, description = "No such tenant"),
        (status = 409, description = "The tenant is not active, its seats are taken, or the address is"),
    ),
    security(("bearer" = []))
)]
async fn create_user(
    MayOperate(admin): MayOperate,
    key: IdempotencyKey,
    State(app): State<App>,
    JsonBody { value: request, bytes }: JsonBody<UserRequest>,
) -> Result<Response> {
    tracing::Span::current().record("tenant.id", tracing::field::display(request.tenant_id));
    if request.password.is_guessable_from(&[request.email.as_str(), request.full_name.as_str()]) {
        return Err(Error::invalid_body("/password", "is too easy to guess from the user's own name").into());
    }
    let claim = IdempotentRequest::new(&app.fingerprints, &admin.id, format!("POST {BASE_PATH}/users"), key, &bytes)?;
    let platform = app.gate.platform.get().await?;
    if let Some(stored) = claim.find(&platform).await? {
        return Ok(stored.again());
    }
    let site = tenants::store::find_location(&platform, request.tenant_id).await?;
    site.require_active()?;
    // No connection is held meanwhile: hashing takes longer than everything else together.
    drop(platform);
    let password_hash = passwords::hash(request.password.expose()).await?;
    let answer = claim
        .run_in_session(app.gate.platform.get().await?, async |session| {
            Ok(((), add(&app, &admin, &claim, &site, session, &request, &password_hash).await?))
        })
        .await?;
    if let IdempotentResponse::First(..) = &answer {
        app.dispatcher.poke_relay().await;
    }
    Ok(answer.into_response())
}

/// Writes the intent down, adds the user where there is a seat, and then tells it: the event, the outcome and the answer
/// commit together. What was cut off of the same request, by its idempotency key, is taken up where it was.
async fn add(
    app: &App,
    admin: &Principal,
    claim: &IdempotentRequest,
    site: &TenantLocation,
    platform: &mut Connection,
    request: &UserRequest,
    password_hash: &str,
) -> Result<Replayable, Error> {
    let UserRequest { email, full_name, role, .. } = request;
    let cut_off = match claim.mark() {
        Some(mark) => audit::store::find_unfinished_intent(platform, &admin.id, ACTION, site.id, &mark).await?,
        None => None,
    };
    let id = cut_off.as_ref().and_then(|(_, details)| details["user_id"].as_str()?.parse().ok());
    let new = NewUser { id: id.unwrap_or_else(UserId::generate), email, full_name, role: *role, password_hash };
    let mut details = json!({
        "user_id": new.id,
        "after": { "email": email.as_str(), "full_name": full_name.as_str(), "role": role },
    });
    if let Some(mark) = claim.mark() {
        details["request"] = json!(mark);
    }
    let entry = AuditEntry::done(admin.actor(), ACTION, site.id, details.clone());
    let change = match cut_off {
        Some((intent_id, _)) => AuditedChange::resume(entry, intent_id),
        None => AuditedChange::intend(platform, entry).await?,
    };
    let user = match app.databases.within(insert(&app.databases, site, &new, &change)).await {
        Ok(user) => user,
        Err(error) => {
            change.fail(platform, &error).await;
            return Err(error);
        }
    };
    let transaction = platform.transaction().await?;
    // Whoever writes events of a tenant holds its row.
    tenants::store::find_for_update(&transaction, site.id).await?;
    events::store::enqueue_event(&transaction, &UserEvent::Created.of(site.id, &user)).await?;
    change.complete(&transaction, details).await?;
    let revision = Some(user.revision);
    let response = Created { body: user, location: None, revision }.to_replayable()?;
    claim.complete(&transaction, &response).await?;
    transaction.commit().await?;
    Ok(response)
}

async fn insert(
    databases: &TenantDatabases,
    site: &TenantLocation,
    user: &NewUser<'_>,
    change: &AuditedChange<'_>,
) -> Result<User, Error> {
    let (cluster, database) = site.require_active()?;
    let mut connection = databases.get(cluster, database).await?;
    let transaction = connection.transaction().await?;
    users::store::lock(&transaction).await?;
    match users::store::find(&transaction, user.id).await {
        // The same request was cut off when this was done and not yet told.
        Ok(user) => return Ok(user),
        Err(Error::NotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    users::store::require_seat(&transaction, site.limits.max_agents).await?;
    let user = users::store::insert(&transaction, user).await?;
    change.commit(transaction).await?;
    Ok(user)
}
