//! `POST /api/super-admin/users`: creates a user in a tenant's own database.

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use shared::{
    clients::tenant_databases::TenantDatabases,
    config::{ConfigError, FromEnv, IdempotencyConfig, QueueConfig},
    events::dispatch::Dispatcher,
    http::{
        BASE_PATH, BodyErrors, Created, Fingerprints, IdempotencyKey, IdempotentRequest, IdempotentResponse, JsonBody,
        JsonResponse, Result, Routes,
    },
    routes,
    super_admins::{AuthContext, MayOperate},
    types::{EmailAddress, NewPassword, TenantId},
    users::{CreateUser, FullName, User, UserRole, create},
};
use utoipa::ToSchema;

/// The stores and settings of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub databases: TenantDatabases,
    pub fingerprints: Fingerprints,
    pub dispatcher: Arc<Dispatcher>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            auth: AuthContext::from_env()?,
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

/// A user to create.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct UserRequest {
    /// The tenant. It must be active.
    tenant_id: TenantId,
    /// E-mail address, unique in the tenant regardless of case.
    email: EmailAddress,
    /// Display name, in one visible line.
    full_name: FullName,
    /// Role in the tenant.
    role: UserRole,
    /// Password. There are no rules about kinds of characters, but passwords that are easy to guess are rejected.
    password: NewPassword,
}

/// Create a user
///
/// Creates the user in the tenant's own database, if the tenant has a free seat (`max_agents`). The user is active at once.
#[utoipa::path(
    post,
    path = "/api/super-admin/users",
    params(IdempotencyKey),
    request_body(content = UserRequest, example = json!({
        "email": "budi@kopikenangan.example", "full_name": "Budi Santoso", "password": "tidal-mango-orbit-42",
        "role": "admin", "tenant_id": "0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee",
    })),
    responses(
        (status = 201, description = "The created user, who is active", body = User,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 404, description = "No such tenant"),
    ),
    extensions(("x-conflicts" = json!(["tenant-not-active", "tenant-schema-outdated", "tenant-not-placed", "seats-exhausted", "email-taken"]))),
    security(("bearer" = []))
)]
async fn create_user(
    MayOperate(admin): MayOperate,
    key: IdempotencyKey,
    State(app): State<App>,
    JsonBody { value: body, bytes }: JsonBody<UserRequest>,
) -> Result<Response> {
    tracing::Span::current().record("tenant.id", tracing::field::display(body.tenant_id));
    let request = IdempotentRequest::new(&app.fingerprints, &admin.id, format!("POST {BASE_PATH}/users"), key, &bytes)?;
    let command = CreateUser {
        actor: admin.actor(),
        tenant_id: body.tenant_id,
        email: &body.email,
        full_name: &body.full_name,
        role: body.role,
        password: &body.password,
        request: request.identity(),
    };
    command.check_password()?;
    let platform = app.auth.platform.get().await?;
    if let Some(stored) = request.find(&platform).await? {
        return Ok(stored.again());
    }
    let prepared = create::prepare(platform, &command).await?;
    let response = request
        .run_in_session(app.auth.platform.get().await?, async |session| {
            let respond = |user: &User| request.stored(&created(user).to_replayable()?);
            create::create(session, &app.databases, &command, &prepared, respond).await
        })
        .await?;
    if let IdempotentResponse::First(..) = &response {
        app.dispatcher.poke_relay().await;
    }
    Ok(response.into_response())
}

fn created(user: &User) -> Created<&User> {
    Created { body: user, location: None, revision: Some(user.revision) }
}
