//! `POST /api/super-admin/tenants`: create a tenant. `provision-tenant` then creates its databases in the background.

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use shared::{
    config::{ConfigError, DefaultLimits, FromEnv, IdempotencyConfig, QueueConfig},
    error::Error,
    events::Dispatcher,
    http::{
        BASE_PATH, BodyErrors, Field, Fingerprints, IdempotencyKey, IdempotentRequest, JsonBody, LimitsBody,
        Replayable, Result, Routes, etag,
    },
    passwords, routes,
    super_admins::{AuthContext, MayOperate},
    tenants::{self, CreateTenant, Tenant, TenantName},
    types::{Country, EmailAddress, LimitsPatch, NewPassword, Slug},
};
use utoipa::ToSchema;

/// State of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub gate: AuthContext,
    pub fingerprints: Fingerprints,
    pub dispatcher: Arc<Dispatcher>,
    /// For limits that the request does not contain.
    pub default_limits: DefaultLimits,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            gate: AuthContext::from_env()?,
            fingerprints: Fingerprints::new(&IdempotencyConfig::from_env()?),
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
            default_limits: DefaultLimits::from_env()?,
        })
    }
}

pub fn routes(app: App) -> Routes {
    routes!(app: App => create_tenant)
}

/// A tenant to create.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct TenantRequest {
    /// Display name; one visible line.
    #[schema(value_type = String, format = "single-line", min_length = 1, max_length = 120, example = "Kopi Kenangan")]
    name: TenantName,
    /// URL-safe identifier, unique among the tenants that are not deleted.
    #[schema(value_type = String, min_length = 2, max_length = 48, pattern = "^[a-z0-9](-?[a-z0-9])*$", example = "kopi-kenangan")]
    slug: Slug,
    /// Resource limits. A missing limit gets the platform's default; `null` means unlimited.
    #[deserr(default)]
    #[schema(value_type = Option<LimitsBody>, nullable = false)]
    limits: Field<LimitsBody>,
    /// ISO 3166-1 alpha-2 code.
    #[schema(example = "ID")]
    country: Country,
    /// E-mail address of the tenant's first user, an `admin`.
    #[schema(value_type = String, format = Email, max_length = 254, example = "sari@kopikenangan.example")]
    admin_email: EmailAddress,
    /// Password of the first user. Must be long and hard to guess; there are no rules about its characters.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128, example = "tidal-mango-orbit-42")]
    admin_password: NewPassword,
}

/// Provision a new tenant
///
/// The tenant is created at once, with the status `provisioning`. Its databases and its first user are created in the
/// background, and the tenant's operations show the progress. The tenant then becomes `active`, or `failed`: in that case, the
/// operation contains the reason and everything that was created is removed.
#[utoipa::path(
    post,
    path = "/api/super-admin/tenants",
    params(IdempotencyKey),
    request_body = TenantRequest,
    responses(
        (status = 201, description = "Created organization (provisioning in background)", body = Tenant,
            headers(
                ("location" = String, description = "URL of the tenant"),
                ("etag" = String, description = "The revision, for If-Match"),
            )),
        (status = 409, description = "The slug is already used"),
    ),
    security(("bearer" = []))
)]
async fn create_tenant(
    MayOperate(principal): MayOperate,
    key: IdempotencyKey,
    State(app): State<App>,
    JsonBody { value: request, bytes }: JsonBody<TenantRequest>,
) -> Result<Response> {
    let words = [request.name.as_str(), request.slug.as_str(), request.admin_email.as_str()];
    if request.admin_password.is_guessable_from(&words) {
        return Err(Error::invalid_body("/admin_password", "is too easy to guess from the tenant's own name").into());
    }
    let route = format!("POST {BASE_PATH}/tenants");
    let idempotent = IdempotentRequest::new(&app.fingerprints, &principal, route, key, &bytes)?;
    if let Some(replayed) = idempotent.find(&app.gate.platform.get().await?).await? {
        return Ok(replayed);
    }
    // The function holds no connection in the meantime, because hashing takes longer than everything else together.
    let password_hash = passwords::hash(request.admin_password.expose()).await?;
    let command = CreateTenant {
        actor: principal.actor(),
        name: request.name,
        slug: request.slug,
        limits: LimitsPatch::from(request.limits.0.unwrap_or_default()).apply(app.default_limits.0),
        country: request.country,
        admin_email: request.admin_email,
        admin_password_hash: password_hash.into(),
    };
    let mut connection = app.gate.platform.get().await?;
    let transaction = connection.transaction().await?;
    if let Some(replayed) = idempotent.begin(&transaction).await? {
        return Ok(replayed);
    }
    let created = tenants::create(&transaction, &command).await?;
    let response = created_response(&created.tenant)?;
    idempotent.complete(&transaction, &response).await?;
    transaction.commit().await?;
    app.dispatcher.provision(&connection, created.operation_id).await;
    Ok(response.into_response())
}

fn created_response(tenant: &Tenant) -> Result<Replayable> {
    let location = HeaderValue::from_str(&format!("{BASE_PATH}/tenants/{}", tenant.id)).map_err(Error::internal)?;
    Ok(Replayable {
        status: StatusCode::CREATED,
        headers: vec![(header::LOCATION, location), (header::ETAG, etag(tenant.revision))],
        body: serde_json::to_string(tenant).map_err(Error::internal)?,
    })
}
