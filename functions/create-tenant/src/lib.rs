//! `POST /api/super-admin/tenants`: create a tenant. `provision-tenant` then creates its databases in the background.

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use shared::{
    config::{ConfigError, DefaultLimits, FromEnv, IdempotencyConfig, QueueConfig},
    error::Error,
    events::dispatch::Dispatcher,
    http::{
        BASE_PATH, BodyErrors, Field, Fingerprints, IdempotencyKey, IdempotentRequest, IdempotentResponse, JsonBody,
        LimitsBody, Result, Routes, Started, WithOperation,
    },
    passwords, routes,
    super_admins::{AuthContext, MayOperate},
    tenants::{self, CreateTenant, CreatedTenant, OnLimit, Tenant, TenantName},
    types::{Country, EmailAddress, FaultCode, InvalidValue, LimitsPatch, NewPassword, Slug},
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

/// The description of the response's body.
type TenantWithOperation = WithOperation<Tenant>;

pub fn routes(app: App) -> Routes {
    routes!(app: App => create_tenant)
}

/// A tenant to create.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct TenantRequest {
    /// Display name; one visible line.
    name: TenantName,
    /// URL-safe identifier, unique among the tenants that are not deleted.
    slug: Slug,
    /// Resource limits. An absent limit gets the platform's default; `null` means unlimited.
    #[deserr(default)]
    limits: Field<LimitsBody>,
    /// What happens when the tenant reaches a limit; `notify` if it is absent.
    #[deserr(default)]
    on_limit: Field<OnLimit>,
    /// ISO 3166-1 alpha-2 code.
    #[schema(example = "ID")]
    country: Country,
    /// E-mail address of the tenant's first user, an `admin`.
    admin_email: EmailAddress,
    /// Password of the first user. Must be long and hard to guess; there are no rules about its characters.
    admin_password: NewPassword,
}

/// Provision a new tenant
///
/// The tenant is created at once, with the status `provisioning`. Its databases and its first user are created in the
/// background; `operation_id` names the operation, which shows the progress. The tenant then becomes `active`, or `failed`: in that case, the
/// operation contains the reason and everything that was created is removed.
#[utoipa::path(
    post,
    path = "/api/super-admin/tenants",
    params(IdempotencyKey),
    request_body(content = TenantRequest, example = json!({
        "admin_email": "sari@kopikenangan.example", "admin_password": "tidal-mango-orbit-42", "country": "ID",
        "limits": {"max_agents": 25, "max_contacts": 10_000, "max_messages_month": 50_000},
        "name": "Kopi Kenangan", "slug": "kopi-kenangan",
    })),
    responses(
        (status = 201, description = "Created organization (provisioning in background)", body = TenantWithOperation,
            headers(
                ("location" = String, description = "URL of the tenant"),
                ("operation-location" = String, description = "URL of the operation that provisions the tenant"),
                ("etag" = String, description = "The revision, for If-Match"),
            )),
    ),
    extensions(("x-conflicts" = json!(["slug-taken"]))),
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
        return Err(Error::invalid_body(
            "/admin_password",
            InvalidValue::new(FaultCode::WeakPassword, "is too easy to guess from the tenant's own name"),
        )
        .into());
    }
    let route = format!("POST {BASE_PATH}/tenants");
    let idempotent = IdempotentRequest::new(&app.fingerprints, &principal.id, route, key, &bytes)?;
    if let Some(stored) = idempotent.find(&app.gate.platform.get().await?).await? {
        return Ok(stored.again());
    }
    // The function holds no connection in the meantime, because hashing takes longer than everything else together.
    let password_hash = passwords::hash(request.admin_password.expose()).await?;
    let command = CreateTenant {
        actor: principal.actor(),
        name: request.name,
        slug: request.slug,
        limits: LimitsPatch::from(request.limits.0.unwrap_or_default()).apply(app.default_limits.0),
        on_limit: request.on_limit.0.unwrap_or(OnLimit::Notify),
        country: request.country,
        admin_email: request.admin_email,
        admin_password_hash: password_hash.into(),
    };
    let mut platform = app.gate.platform.get().await?;
    let answer = idempotent
        .run(
            &mut platform,
            async |transaction| tenants::create(transaction, &command).await,
            |CreatedTenant { tenant, operation_id }| Started { created: true, ..tenant.clone().started(*operation_id) },
        )
        .await?;
    if let IdempotentResponse::First(created, _) = &answer {
        app.dispatcher.send_provision(&platform, created.operation_id).await;
    }
    Ok(answer.into_response())
}
