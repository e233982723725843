//! `POST /api/super-admin/tenants`: provision a new tenant. What is asked for is committed here; its databases are made in
//! the background by `provision-tenant`.

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use serde_json::json;
use shared::{
    audit::{self, AuditEntry},
    clients::postgres::Transaction,
    config::{ConfigError, DefaultLimits, FromEnv, IdempotencyConfig, QueueConfig},
    error::Error,
    events::{self, Dispatcher},
    http::{
        BASE_PATH, BodyErrors, Created, Field, Fingerprints, IdempotencyKey, IdempotentRequest, IdempotentResponse,
        JsonBody, LimitsBody, Result, Routes,
    },
    operations::{self, OperationKind},
    passwords, routes,
    super_admins::{AuthContext, MayOperate, Principal},
    tenants::{self, Tenant, TenantEvent, TenantName, store::NewTenant},
    types::{Country, EmailAddress, LimitsPatch, NewPassword, OperationId, Slug, TenantId},
};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// Who may do what, and the platform database.
    pub gate: AuthContext,
    /// Tells bodies with the same idempotency key apart.
    pub fingerprints: Fingerprints,
    /// Sends the operation to its worker.
    pub dispatcher: Arc<Dispatcher>,
    /// The limits that a request leaves out.
    pub default_limits: DefaultLimits,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            gate: AuthContext::from_env()?,
            fingerprints: Fingerprints::new(&IdempotencyConfig::from_env()?),
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
            default_limits: DefaultLimits::from_env()?,
        })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => create_tenant)
}

/// A tenant to be provisioned.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct TenantRequest {
    /// Name that people read; one visible line.
    name: TenantName,
    /// URL-safe identifier, unique among living tenants.
    slug: Slug,
    /// Resource limits; what is left out gets the platform's default, `null` is unlimited.
    #[deserr(default)]
    limits: Field<LimitsBody>,
    /// ISO 3166-1 alpha-2 code.
    #[schema(example = "ID")]
    country: Country,
    /// E-mail of the tenant's first agent, an `admin`.
    admin_email: EmailAddress,
    /// Password of the first agent: length counts, composition does not; what is easy to guess is refused.
    admin_password: NewPassword,
}

/// Provision a new tenant
///
/// The organization is there at once, with the status `provisioning`; its databases and its first agent are made in the
/// background, as its operations tell, until it is `active`, or `failed` with a reason and nothing left behind.
#[utoipa::path(
    post,
    path = "/api/super-admin/tenants",
    params(IdempotencyKey),
    request_body = TenantRequest,
    responses(
        (status = 201, description = "Created organization (provisioning in background)", body = Tenant,
            headers(
                ("location" = String, description = "The tenant"),
                ("etag" = String, description = "The revision, for If-Match"),
            )),
        (status = 409, description = "The slug is taken"),
    ),
    security(("bearer" = []))
)]
async fn create_tenant(
    MayOperate(admin): MayOperate,
    key: IdempotencyKey,
    State(app): State<App>,
    JsonBody { value: request, bytes }: JsonBody<TenantRequest>,
) -> Result<Response> {
    let words = [request.name.as_str(), request.slug.as_str(), request.admin_email.as_str()];
    if request.admin_password.is_guessable_from(&words) {
        return Err(Error::invalid_body("/admin_password", "is too easy to guess from the tenant's own name").into());
    }
    let route = format!("POST {BASE_PATH}/tenants");
    let idempotent = IdempotentRequest::new(&app.fingerprints, &admin.id, route, key, &bytes)?;
    if let Some(stored) = idempotent.find(&app.gate.platform.get().await?).await? {
        return Ok(stored.again());
    }
    // No connection is held while the password is hashed, which takes longer than everything else together.
    let password_hash = passwords::hash(request.admin_password.expose()).await?;
    let limits = LimitsPatch::from(request.limits.0.unwrap_or_default()).apply(app.default_limits.0);
    let new = NewTenant {
        id: TenantId::generate(),
        name: request.name,
        slug: request.slug,
        limits,
        country: request.country,
    };
    let email = request.admin_email;
    let mut platform = app.gate.platform.get().await?;
    let answer = idempotent
        .run(
            &mut platform,
            async |transaction| create(transaction, &admin, &new, &email, &password_hash).await,
            |(tenant, _)| Created {
                body: tenant.clone(),
                location: Some(format!("{BASE_PATH}/tenants/{}", tenant.id)),
                revision: Some(tenant.revision),
            },
        )
        .await?;
    if let IdempotentResponse::First((_, operation_id), _) = &answer {
        app.dispatcher.provision(&platform, *operation_id).await;
    }
    Ok(answer.into_response())
}

/// Inserts all parts of a new tenant: the tenant with its slug, the operation, the messages of the outbox and the audit
/// entry.
async fn create(
    transaction: &Transaction<'_>,
    admin: &Principal,
    new: &NewTenant,
    admin_email: &EmailAddress,
    password_hash: &str,
) -> Result<(Tenant, OperationId), Error> {
    let now = OffsetDateTime::now_utc();
    let id = new.id;
    let tenant = tenants::store::insert(transaction, new, now).await?;
    tenants::store::insert_pending_admin(transaction, id, admin_email.as_str(), password_hash).await?;
    let operation_id = operations::store::insert(transaction, id, OperationKind::Provision, &admin.id, now).await?;
    events::store::insert_event(transaction, &TenantEvent::Requested.of(&tenant)).await?;
    events::store::insert_provision(transaction, id, operation_id).await?;
    let entry = AuditEntry::done(
        admin.actor(),
        "tenant.create",
        id,
        json!({
            "after": {
                "name": tenant.name, "slug": tenant.slug, "limits": tenant.limits, "country": tenant.country,
                "admin_email": admin_email.as_str(),
            },
            "operation_id": operation_id,
        }),
    );
    audit::store::insert(transaction, &entry).await?;
    Ok((tenant, operation_id))
}
