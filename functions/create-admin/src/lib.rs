//! `POST /api/super-admin/admins`: add an operator of the platform.

use axum::{
    extract::{FromRef, State},
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use serde_json::json;
use shared::{
    audit::{self, AuditEntry},
    clients::postgres::Transaction,
    config::{ConfigError, FromEnv, IdempotencyConfig},
    error::Error,
    http::{
        BASE_PATH, BodyErrors, Created, Field, Fingerprints, IdempotencyKey, IdempotentRequest, JsonBody, Result,
        Routes, exactly_one,
    },
    passwords, routes,
    super_admins::{self, AuthContext, MayAdminister, Principal, ProviderSubject, SuperAdmin, store::NewSuperAdmin},
    types::{EmailAddress, NewPassword, SuperAdminRole},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// Who may do what, and the platform database.
    pub gate: AuthContext,
    /// Tells bodies with the same idempotency key apart.
    pub fingerprints: Fingerprints,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { gate: AuthContext::from_env()?, fingerprints: Fingerprints::new(&IdempotencyConfig::from_env()?) })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => create_admin)
}

/// An operator to be added, who signs in here (`password`) or at the platform's identity provider (`subject`).
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct OperatorRequest {
    /// E-mail address, unique without regard to case.
    email: EmailAddress,
    /// What they may do.
    role: SuperAdminRole,
    /// Their first password: length counts, composition does not; what is easy to guess is refused.
    #[deserr(default)]
    password: Field<NewPassword>,
    /// Who they are to the identity provider.
    #[deserr(default)]
    subject: Field<ProviderSubject>,
}

/// An operator to be added, who signs in here (`password`) or at the platform's identity provider (`subject`).
struct OperatorBody;

impl PartialSchema for OperatorBody {
    fn schema() -> RefOr<Schema> {
        exactly_one(OperatorRequest::schema(), &["password", "subject"])
    }
}

impl ToSchema for OperatorBody {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        OperatorRequest::schemas(schemas);
    }
}

impl OperatorRequest {
    /// What no field can tell by itself.
    fn check(&self) -> Result<(), Error> {
        match (&self.password.0, &self.subject.0) {
            (None, None) => Err(Error::invalid_body("", "must have a password or a subject")),
            (Some(_), Some(_)) => Err(Error::invalid_body("", "must have a password or a subject, and not both")),
            (Some(password), None) if password.is_guessable_from(&[self.email.as_str()]) => {
                Err(Error::invalid_body("/password", "is too easy to guess from the e-mail address"))
            }
            _ => Ok(()),
        }
    }
}

/// Add an operator
///
/// One who signs in here has a password, one who signs in at the platform's identity provider a `subject` there.
#[utoipa::path(
    post,
    path = "/api/super-admin/admins",
    params(IdempotencyKey),
    request_body(content = OperatorBody, example = json!({
        "email": "ada@landlord.example", "role": "operator", "password": "tidal-mango-orbit-42"
    })),
    responses(
        (status = 201, description = "Added operator", body = SuperAdmin, headers(
            ("location" = String, description = "The operator"),
            ("etag" = String, description = "The revision, for If-Match"),
        )),
        (status = 409, description = "The e-mail or the subject is another operator's"),
    ),
    security(("bearer" = []))
)]
async fn create_admin(
    MayAdminister(admin): MayAdminister,
    key: IdempotencyKey,
    State(app): State<App>,
    JsonBody { value: request, bytes }: JsonBody<OperatorRequest>,
) -> Result<Response> {
    request.check()?;
    let route = format!("POST {BASE_PATH}/admins");
    let idempotent = IdempotentRequest::new(&app.fingerprints, &admin.id, route, key, &bytes)?;
    if let Some(stored) = idempotent.find(&app.gate.platform.get().await?).await? {
        return Ok(stored.again());
    }
    // No connection is held while the password is hashed, which takes longer than everything else together.
    let password_hash = match &request.password.0 {
        Some(password) => Some(passwords::hash(password.expose()).await?),
        None => None,
    };
    let answer = idempotent
        .run(
            &mut app.gate.platform.get().await?,
            async |transaction| add(transaction, &admin, &request, password_hash.as_deref()).await,
            |added| Created {
                body: added.clone(),
                location: Some(format!("{BASE_PATH}/admins/{}", added.id)),
                revision: Some(added.revision),
            },
        )
        .await?;
    Ok(answer.into_response())
}

/// Inserts the super-admin and the audit entry.
async fn add(
    transaction: &Transaction<'_>,
    admin: &Principal,
    request: &OperatorRequest,
    password_hash: Option<&str>,
) -> Result<SuperAdmin, Error> {
    let new =
        NewSuperAdmin { email: &request.email, role: request.role, password_hash, subject: request.subject.0.as_ref() };
    let added = super_admins::store::insert(transaction, &new).await?;
    let details = json!({ "admin_id": added.id, "after": added });
    audit::store::insert(transaction, &AuditEntry::done(admin.actor(), "admin.create", None, details)).await?;
    Ok(added)
}
