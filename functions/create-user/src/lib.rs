//! `POST /api/super-admin/tenants/{id}/users` and `POST /api/super-admin/users`: create a user in a tenant's own database.

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
        BASE_PATH, BodyErrors, Created, Field, Fingerprints, IdempotencyKey, IdempotentRequest, IdempotentResponse,
        JsonBody, JsonResponse, Result, Routes, TenantPath,
    },
    routes,
    super_admins::{AuthContext, MayOperate, Principal},
    types::{EmailAddress, NewPassword, Reason, TenantId},
    users::{self, Authority, CreateUser, FullName, User, UserRole},
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

/// The function's routes: the users of a tenant have two addresses.
pub fn routes(app: App) -> Routes {
    let also = app.clone();
    routes!(app: App => create_user_of_tenant).also_at(routes!(also: App => create_user))
}

/// A user to create, and the tenant.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct UserRequest {
    /// The tenant. It must be active.
    tenant_id: TenantId,
    /// E-mail address, unique in the tenant regardless of case.
    email: EmailAddress,
    /// Display name, in one visible line.
    full_name: FullName,
    /// Role in the tenant. `admin` needs the super-admin role `owner`, and a `reason`.
    role: UserRole,
    /// Password. There are no rules about kinds of characters, but passwords that are easy to guess are rejected. It is temporary:
    /// the user must replace it.
    password: NewPassword,
    /// Why the user is created, in one visible line. Required for the role `admin`; then the tenant's admins can read it.
    #[deserr(default)]
    reason: Field<Reason>,
}

/// A user to create in the tenant that the path names.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct TenantUserRequest {
    /// E-mail address, unique in the tenant regardless of case.
    email: EmailAddress,
    /// Display name, in one visible line.
    full_name: FullName,
    /// Role in the tenant. `admin` needs the super-admin role `owner`, and a `reason`.
    role: UserRole,
    /// Password. There are no rules about kinds of characters, but passwords that are easy to guess are rejected. It is temporary:
    /// the user must replace it.
    password: NewPassword,
    /// Why the user is created, in one visible line. Required for the role `admin`; then the tenant's admins can read it.
    #[deserr(default)]
    reason: Field<Reason>,
}

/// Create a user
///
/// The same as `POST /tenants/{id}/users`, with the tenant in `tenant_id`.
#[utoipa::path(
    post,
    path = "/api/super-admin/users",
    params(IdempotencyKey),
    request_body(content = UserRequest, example = json!({
        "email": "budi@kopikenangan.example", "full_name": "Budi Santoso", "password": "tidal-mango-orbit-42",
        "role": "admin", "tenant_id": "0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee",
        "reason": "The only admin has left the company",
    })),
    security(("bearer" = []))
)]
async fn create_user(
    MayOperate(admin): MayOperate,
    key: IdempotencyKey,
    State(app): State<App>,
    JsonBody { value: UserRequest { tenant_id, email, full_name, role, password, reason }, bytes }: JsonBody<
        UserRequest,
    >,
) -> Result<Response> {
    tracing::Span::current().record("tenant.id", tracing::field::display(tenant_id));
    let route = format!("POST {BASE_PATH}/users");
    let request = IdempotentRequest::new(&app.fingerprints, &admin.id, route, key, &bytes)?;
    let user = TenantUserRequest { email, full_name, role, password, reason };
    create(&app, &admin, &request, tenant_id, &user).await
}

/// Create a user of a tenant
///
/// Creates the user in the tenant's own database, if the tenant has a free seat (`max_agents`). The user is active at once. Only an
/// owner can create an admin, with a `reason`, which is recorded in the tenant's own database.
#[utoipa::path(
    post,
    path = "/api/super-admin/tenants/{id}/users",
    params(TenantPath, IdempotencyKey),
    request_body(content = TenantUserRequest, example = json!({
        "email": "dewi@kopikenangan.example", "full_name": "Dewi Lestari", "password": "tidal-mango-orbit-42",
        "role": "agent",
    })),
    responses(
        (status = 201, description = "The created user, who is active", body = User, headers(
            ("location" = String, description = "URL of the user"),
            ("etag" = String, description = "The revision, for If-Match"),
        )),
        (status = 404, description = "No such tenant"),
    ),
    extensions(("x-conflicts" = json!(["tenant-not-active", "tenant-schema-outdated", "tenant-not-placed", "seats-exhausted", "email-taken"]))),
    security(("bearer" = []))
)]
async fn create_user_of_tenant(
    MayOperate(admin): MayOperate,
    TenantPath(tenant_id): TenantPath,
    key: IdempotencyKey,
    State(app): State<App>,
    JsonBody { value: user, bytes }: JsonBody<TenantUserRequest>,
) -> Result<Response> {
    let route = format!("POST {BASE_PATH}/tenants/{tenant_id}/users");
    let request = IdempotentRequest::new(&app.fingerprints, &admin.id, route, key, &bytes)?;
    create(&app, &admin, &request, tenant_id, &user).await
}

async fn create(
    app: &App,
    admin: &Principal,
    request: &IdempotentRequest,
    tenant_id: TenantId,
    body: &TenantUserRequest,
) -> Result<Response> {
    let command = CreateUser {
        authority: Authority {
            actor: admin.actor(),
            role: admin.role,
            email: admin.email.as_deref(),
            reason: body.reason.0.as_ref(),
        },
        tenant_id,
        email: &body.email,
        full_name: &body.full_name,
        role: body.role,
        password: &body.password,
        request: request.identity(),
    };
    command.check_authority(&app.auth.platform).await?;
    command.check_password()?;
    let platform = app.auth.platform.get().await?;
    if let Some(stored) = request.find(&platform).await? {
        return Ok(stored.again());
    }
    let prepared = users::create::prepare(platform, &command).await?;
    let response = request
        .run_in_session(app.auth.platform.get().await?, async |session| {
            let respond = |user: &User| request.stored(&created(tenant_id, user).to_replayable()?);
            users::create::create(session, &app.databases, &command, &prepared, respond).await
        })
        .await?;
    if let IdempotentResponse::First(..) = &response {
        app.dispatcher.poke_relay().await;
    }
    Ok(response.into_response())
}

fn created(tenant_id: TenantId, user: &User) -> Created<&User> {
    let location = format!("{BASE_PATH}/tenants/{tenant_id}/users/{}", user.id);
    Created { body: user, location: Some(location), revision: Some(user.revision) }
}
