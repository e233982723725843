//! The start of an impersonation: what is checked, in which order, and what is written where.

use axum::response::{IntoResponse, Response};
use serde_json::Value;
use shared::{
    audit::{self, AuditEntry},
    error::{Dependency, Error},
    http::{BASE_PATH, Created, IdempotentRequest, IdempotentResponse, Problem, Replayable, Result},
    impersonations::{
        self, Access, Impersonation, Ticket,
        store::{Begun, NewImpersonation, START, record},
    },
    revocations::EndReason,
    super_admins::Principal,
    tenants::{self, store::TenantLocation},
    types::{ImpersonationId, SuperAdminRole},
    users::{self, User, UserStatus},
};

use crate::{
    App,
    request::{ImpersonationRequest, ImpersonationResponse},
};

/// A request to start an impersonation, and who asks.
pub(crate) struct Start<'a> {
    pub(crate) app: &'a App,
    pub(crate) admin: &'a Principal,
    pub(crate) request: &'a ImpersonationRequest,
    pub(crate) claim: &'a IdempotentRequest,
}

/// What is written down in the platform database, and nowhere else yet.
struct Intent {
    begun: Begun,
    site: TenantLocation,
    response: ImpersonationResponse,
}

enum Outcome {
    /// It goes on.
    Begun(Box<Intent>),
    /// A request with the same idempotency key was answered before.
    Before(Response),
}

impl Start<'_> {
    /// Everything, from the checks to the token. Whoever was refused is in the audit log.
    pub(crate) async fn run(&self) -> Result<Response> {
        match self.begin().await {
            Ok(Outcome::Begun(intent)) => self.finish(*intent).await,
            Ok(Outcome::Before(response)) => Ok(response),
            Err(problem) => {
                self.write_down(&problem).await;
                Err(problem)
            }
        }
    }

    /// Checks everything, and commits the intent.
    async fn begin(&self) -> Result<Outcome> {
        if self.request.access() == Access::Write && !self.admin.role.allows(SuperAdminRole::Owner) {
            return Err(Error::Forbidden("To act with write access needs the role owner").into());
        }
        // No token is given that could not be denied.
        self.app.deny_list.ensure_writable().await?;
        let mut platform = self.app.gate.platform.get().await?;
        if let Some(stored) = self.claim.find(&platform).await? {
            return self.again(stored).await.map(Outcome::Before);
        }
        let site = tenants::store::find_location(&platform, self.request.tenant_id).await?;
        let user = self.find_user(&site).await?;
        // The response is stored without the token, which is at rest nowhere.
        let answer = self
            .claim
            .run(
                &mut platform,
                async |transaction| impersonations::store::begin(transaction, &self.wanted(&user)).await,
                |begun| created(begun.impersonation.id, ImpersonationResponse::of(&begun.impersonation, &user)),
            )
            .await?;
        match answer {
            IdempotentResponse::Replayed(stored) => self.again(stored).await.map(Outcome::Before),
            IdempotentResponse::First(begun, _) => {
                let response = ImpersonationResponse::of(&begun.impersonation, &user);
                Ok(Outcome::Begun(Box::new(Intent { begun, site, response })))
            }
        }
    }

    async fn find_user(&self, site: &TenantLocation) -> Result<User, Error> {
        let (cluster, database) = site.require_active()?;
        let databases = &self.app.databases;
        let find = async { users::store::find(&databases.get(cluster, database).await?, self.request.user_id).await };
        let user = databases.within(find).await?;
        match user.status {
            UserStatus::Active => Ok(user),
            UserStatus::Deactivated => Err(deactivated()),
        }
    }

    fn wanted<'a>(&'a self, user: &'a User) -> NewImpersonation<'a> {
        NewImpersonation {
            actor: self.admin.actor(),
            admin_email: self.admin.email.as_deref(),
            tenant_id: self.request.tenant_id,
            user_id: user.id,
            user_email: &user.email,
            access: self.request.access(),
            reason: self.request.reason.as_str(),
            ticket: self.request.ticket.0.as_ref().map(Ticket::as_str),
            minutes: self.request.duration_minutes.0.unwrap_or_default(),
        }
    }

    /// Writes the tenant's own record, confirms it, and gives the token.
    async fn finish(&self, Intent { begun, site, mut response }: Intent) -> Result<Response> {
        if let Err(error) = self.record(&begun.impersonation, &site).await {
            let reason = match error {
                Error::Conflict(_) => EndReason::UserDeactivated,
                _ => EndReason::NotRecorded,
            };
            self.abandon(&begun, reason, &error).await;
            return Err(error.into());
        }
        let impersonation = match self.confirm(&begun).await {
            Ok(impersonation) => impersonation,
            Err(error) => {
                if self.abandon(&begun, EndReason::NotRecorded, &error).await {
                    self.take_back(&begun.impersonation, &site).await;
                }
                return Err(error.into());
            }
        };
        self.app.dispatcher.poke_relay().await;
        response.token = self.app.signer.sign(&impersonation)?;
        Ok(created(impersonation.id, response).into_response())
    }

    /// The tenant sees who acts in its users' names; nobody does whom it cannot see.
    async fn record(&self, impersonation: &Impersonation, site: &TenantLocation) -> Result<(), Error> {
        let (cluster, database) = site.require_active()?;
        let databases = &self.app.databases;
        let insert = async { record::insert(&databases.get(cluster, database).await?, impersonation).await };
        match databases.within(insert).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(deactivated()),
            Err(error @ Error::Unavailable { .. }) => Err(error),
            Err(error) => Err(Error::unavailable(Dependency::TenantDatabase, error)),
        }
    }

    async fn confirm(&self, begun: &Begun) -> Result<Impersonation, Error> {
        let mut platform = self.app.gate.platform.get().await?;
        let transaction = platform.transaction().await?;
        let impersonation = impersonations::store::confirm(&transaction, begun, self.admin.actor()).await?;
        transaction.commit().await?;
        Ok(impersonation)
    }

    /// Writes down that nothing came of it; whether that is so. Where this cannot be written either, it is not live all the
    /// same, and its intent stands in the audit log without an outcome.
    async fn abandon(&self, begun: &Begun, reason: EndReason, error: &Error) -> bool {
        let work = async {
            let mut platform = self.app.gate.platform.get().await?;
            let transaction = platform.transaction().await?;
            let (actor, why) = (self.admin.actor(), error.to_string());
            let abandoned = impersonations::store::abandon(&transaction, begun, reason, actor, &why).await?;
            transaction.commit().await?;
            Ok::<_, Error>(abandoned)
        };
        work.await.unwrap_or_else(|failure| {
            let id = begun.impersonation.id;
            tracing::error!(impersonation.id = %id, error = failure.chain(), "an impersonation was cut off at its start");
            false
        })
    }

    /// The tenant's record says that it has ended; best effort, as it says when it would have, too.
    async fn take_back(&self, impersonation: &Impersonation, site: &TenantLocation) {
        let databases = &self.app.databases;
        let end = async {
            let (cluster, database) = site.require_active()?;
            let tenant = databases.get(cluster, database).await?;
            record::end(&tenant, impersonation.id, impersonation.started_at).await
        };
        if let Err(error) = databases.within(end).await {
            let id = impersonation.id;
            tracing::warn!(impersonation.id = %id, error = error.chain(), "the tenant's record does not tell the end");
        }
    }

    /// The answer that was given before, with its token signed again.
    async fn again(&self, mut stored: Replayable) -> Result<Response> {
        let mut body: Value = serde_json::from_str(&stored.body).map_err(Error::internal)?;
        let id = body["id"].as_str().and_then(|id| id.parse::<ImpersonationId>().ok());
        let id = id.ok_or_else(|| Error::internal("a stored response names no impersonation"))?;
        let platform = self.app.gate.platform.get().await?;
        let impersonation = impersonations::store::find(&platform, id).await?;
        if !impersonation.live {
            let state = match impersonation.end_reason {
                Some(reason) => format!("is over ({})", reason.as_str()),
                None => "has not begun".to_owned(),
            };
            return Err(Error::Conflict(format!(
                "The impersonation {id} that this Idempotency-Key asked for {state}; a new one needs a new key"
            ))
            .into());
        }
        body["token"] = self.app.signer.sign(&impersonation)?.into();
        let mut details = self.request.shown();
        details["impersonation_id"] = id.to_string().into();
        let entry = AuditEntry::done(self.admin.actor(), "impersonation.repeat", self.request.tenant_id, details);
        audit::store::insert(&platform, &entry).await?;
        stored.body = body.to_string();
        Ok(stored.again())
    }

    /// The audit entry of a request that was refused, or failed, before anything was written down.
    async fn write_down(&self, problem: &Problem) {
        let told = problem.details();
        let mut details = self.request.shown();
        details["status"] = told.status.into();
        details["error"] = told.detail.clone().into();
        let mut entry = AuditEntry::done(self.admin.actor(), START, self.request.tenant_id, details).refused();
        if told.status >= 500 {
            entry.outcome = shared::audit::AuditOutcome::Failed;
        }
        let written = async { audit::store::insert(&self.app.gate.platform.get().await?, &entry).await };
        if let Err(error) = written.await {
            tracing::error!(error = error.chain(), "a refusal is not in the audit log");
        }
    }
}

fn deactivated() -> Error {
    Error::Conflict("The user is deactivated; nobody acts in the name of one who may not work".to_owned())
}

/// The answer about an impersonation.
fn created(id: ImpersonationId, body: ImpersonationResponse) -> Created<ImpersonationResponse> {
    Created { body, location: Some(format!("{BASE_PATH}/impersonations/{id}")), revision: None }
}
