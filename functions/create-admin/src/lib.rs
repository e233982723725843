//! `POST /api/super-admin/admins`: an owner adds a super-admin.

use axum::{
    extract::{FromRef, State},
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use shared::{
    config::{ConfigError, FromEnv, IdempotencyConfig},
    error::Error,
    http::{
        BASE_PATH, BodyErrors, Created, Field, Fingerprints, IdempotencyKey, IdempotentRequest, JsonBody, Result,
        Routes, exactly_one,
    },
    passwords, routes,
    super_admins::{
        self, AuthContext, CreateSuperAdmin, MayAdminister, ProviderSubject, SuperAdmin, check_new_password,
        store::NewSuperAdmin,
    },
    types::{EmailAddress, FaultCode, InvalidValue, NewPassword, SuperAdminRole},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub fingerprints: Fingerprints,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { auth: AuthContext::from_env()?, fingerprints: Fingerprints::new(&IdempotencyConfig::from_env()?) })
    }
}

pub fn routes(app: App) -> Routes {
    routes!(app: App => create_admin)
}

/// A new super-admin, who signs in either here (`password`) or at the platform's identity provider (`subject`).
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct OperatorRequest {
    /// E-mail address, unique regardless of case.
    email: EmailAddress,
    /// What the super-admin may do.
    role: SuperAdminRole,
    /// The first password, which the super-admin must replace after signing in. It must be long and hard to guess; no kinds of
    /// characters are required.
    #[deserr(default)]
    password: Field<NewPassword>,
    /// Subject at the identity provider.
    #[deserr(default)]
    subject: Field<ProviderSubject>,
}

/// A new super-admin, who signs in either here (`password`) or at the platform's identity provider (`subject`).
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
    /// Checks the rules that involve more than one field.
    fn check(&self) -> Result<(), Error> {
        match (&self.password.0, &self.subject.0) {
            (None, None) => Err(Error::invalid_body(
                "",
                InvalidValue::new(FaultCode::ConflictingFields, "must have either a password or a subject"),
            )),
            (Some(_), Some(_)) => Err(Error::invalid_body(
                "",
                InvalidValue::new(FaultCode::ConflictingFields, "must have either a password or a subject, not both"),
            )),
            (Some(password), None) => check_new_password(password, self.email.as_str(), "/password"),
            (None, Some(_)) => Ok(()),
        }
    }
}

/// Add a super-admin
///
/// A super-admin who signs in here has a `password`. One who signs in at the platform's identity provider has a `subject`.
#[utoipa::path(
    post,
    path = "/api/super-admin/admins",
    params(IdempotencyKey),
    request_body(content = OperatorBody, example = json!({
        "email": "ada@landlord.example", "role": "operator", "password": "tidal-mango-orbit-42"
    })),
    responses(
        (status = 201, description = "The new super-admin", body = SuperAdmin, headers(
            ("location" = String, description = "The path of the super-admin"),
            ("etag" = String, description = "The revision, for If-Match"),
        )),
    ),
    extensions(("x-conflicts" = json!(["email-taken", "subject-taken"]))),
    security(("bearer" = []))
)]
async fn create_admin(
    MayAdminister(principal): MayAdminister,
    key: IdempotencyKey,
    State(app): State<App>,
    JsonBody { value: request, bytes }: JsonBody<OperatorRequest>,
) -> Result<Response> {
    request.check()?;
    let route = format!("POST {BASE_PATH}/admins");
    let idempotent = IdempotentRequest::new(&app.fingerprints, &principal.id, route, key, &bytes)?;
    if let Some(stored) = idempotent.find(&app.auth.platform.get().await?).await? {
        return Ok(stored.again());
    }
    // No connection is held while the password is hashed, because that takes longer than all other work together.
    let password_hash = match &request.password.0 {
        Some(password) => Some(passwords::hash(password.expose()).await?),
        None => None,
    };
    let account = NewSuperAdmin {
        email: &request.email,
        role: request.role,
        password_hash: password_hash.as_deref(),
        subject: request.subject.0.as_ref(),
    };
    let command = CreateSuperAdmin { actor: principal.actor(), account };
    let answer = idempotent
        .run(
            &mut app.auth.platform.get().await?,
            async |transaction| super_admins::create(transaction, &command).await,
            |created| Created {
                body: created.clone(),
                location: Some(format!("{BASE_PATH}/admins/{}", created.id)),
                revision: Some(created.revision),
            },
        )
        .await?;
    Ok(answer.into_response())
}
