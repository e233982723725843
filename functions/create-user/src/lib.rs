//! `POST /api/super-admin/users`: creates a user in a tenant's own database.

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use shared::{
    clients::tenant_databases::TenantDatabases,
    config::{ConfigError, FromEnv, IdempotencyConfig, QueueConfig},
    error::Error,
    events::Dispatcher,
    http::{
        BASE_PATH, BodyErrors, Fingerprints, Held, IdempotencyKey, IdempotentRequest, JsonBody, Replayable, Result,
        Routes, etag,
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
    pub gate: AuthContext,
    pub databases: TenantDatabases,
    pub fingerprints: Fingerprints,
    pub dispatcher: Arc<Dispatcher>,
}

impl App {
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

/// A user to create.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct UserRequest {
    /// The tenant. It must be active.
    tenant_id: TenantId,
    /// E-mail address, unique in the tenant regardless of case.
    #[schema(value_type = String, format = Email, max_length = 254, example = "budi@kopikenangan.example")]
    email: EmailAddress,
    /// Display name, in one visible line.
    #[schema(value_type = String, format = "single-line", min_length = 1, max_length = 120, example = "Budi Santoso")]
    full_name: FullName,
    /// Role in the tenant.
    role: UserRole,
    /// Password. There are no rules about kinds of characters, but passwords that are easy to guess are rejected.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128, example = "tidal-mango-orbit-42")]
    password: NewPassword,
}

/// Create a user
///
/// Creates the user in the tenant's own database, if the tenant has a free seat (`max_agents`). The user is active at once.
#[utoipa::path(
    post,
    path = "/api/super-admin/users",
    params(IdempotencyKey),
    request_body = UserRequest,
    responses(
        (status = 201, description = "The created user, who is active", body = User,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 404, description = "No such tenant"),
        (status = 409, description = "The tenant is not active, all of its seats are taken, or the e-mail address is taken"),
    ),
    security(("bearer" = []))
)]
async fn create_user(
    MayOperate(admin): MayOperate,
    key: IdempotencyKey,
    State(app): State<App>,
    JsonBody { value: body, bytes }: JsonBody<UserRequest>,
) -> Result<Response> {
    tracing::Span::current().record("tenant.id", tracing::field::display(body.tenant_id));
    let request = IdempotentRequest::new(&app.fingerprints, &admin, format!("POST {BASE_PATH}/users"), key, &bytes)?;
    let command = CreateUser {
        actor: admin.actor(),
        tenant_id: body.tenant_id,
        email: &body.email,
        full_name: &body.full_name,
        role: body.role,
        password: &body.password,
        request: request.mark(),
    };
    command.check_password()?;
    let platform = app.gate.platform.get().await?;
    if let Some(replayed) = request.find(&platform).await? {
        return Ok(replayed);
    }
    let prepared = create::prepare(platform, &command).await?;
    let mut session = match request.hold(app.gate.platform.get().await?).await? {
        Held::Now(session) => session,
        Held::Before(replayed) => return Ok(replayed),
    };
    let created = create::create(&mut session, &app.databases, &command, &prepared, async |transaction, user| {
        request.complete(transaction, &response(user)?).await
    });
    let created = created.await;
    request.release(session).await?;
    let response = response(&created?)?;
    app.dispatcher.poke_relay().await;
    Ok(response.into_response())
}

fn response(user: &User) -> Result<Replayable, Error> {
    Ok(Replayable {
        status: StatusCode::CREATED,
        headers: vec![(header::ETAG, etag(user.revision))],
        body: serde_json::to_string(user).map_err(Error::internal)?,
    })
}
