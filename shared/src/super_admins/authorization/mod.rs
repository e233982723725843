//! Authorization. Each request reads the caller's current state from the platform database. So disabling a super-admin,
//! changing the role, or changing the password has an effect at once, whatever the token contains.
//!
//! A handler states what it needs by its extractor: [`MayRead`], [`AnySuperAdmin`], [`MayOperate`] or [`MayAdminister`]. A
//! super-admin with a temporary password may only replace it, which is [`MayChangePassword`].
//! Every refusal is recorded in the audit log.

mod caller;
mod context;

use std::time::Duration;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};
use serde_json::json;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    auth::{Identity, Session},
    clients::postgres::{Connection, Postgres},
    error::{Error, Result},
    http::{HandlerArgument, Problem, RequestInfo},
    super_admins::store::{self, SuperAdminKey, SuperAdminState, WithSuperAdminState},
    types::{Actor, SuperAdminRole},
};

pub use self::{caller::Caller, context::AuthContext};

/// A caller who is authorized for the request.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The super-admin's id, or the subject at the identity provider if the platform database has no such super-admin.
    pub id: String,
    /// `None` if the platform database has no such super-admin.
    pub email: Option<String>,
    pub role: SuperAdminRole,
    /// `None` if the principal signed in at the identity provider.
    pub session: Option<Session>,
    request: RequestInfo,
}

impl Principal {
    /// The actor for audit entries and events of this request.
    pub fn actor(&self) -> Actor<'_> {
        self.request.actor(&self.id)
    }
}

/// What a route requires of its caller.
#[derive(Debug, Clone, Copy)]
struct Requirement {
    role: SuperAdminRole,
    accepts_temporary_password: bool,
}

impl Requirement {
    const VIEWER: Self = Self::role(SuperAdminRole::Viewer);
    const OPERATOR: Self = Self::role(SuperAdminRole::Operator);
    const OWNER: Self = Self::role(SuperAdminRole::Owner);
    const CHANGE_PASSWORD: Self = Self { accepts_temporary_password: true, ..Self::VIEWER };

    const fn role(role: SuperAdminRole) -> Self {
        Self { role, accepts_temporary_password: false }
    }
}

enum Decision {
    Allowed(Principal),
    /// With the id of the refused caller.
    Refused(Error, String),
}

impl Caller {
    /// Checks that the caller meets the requirement now.
    async fn authorize(&self, client: &Connection, needed: Requirement) -> Result<Principal> {
        let state = store::find_state(client, self.key()).await?;
        self.check(client, state, needed).await
    }

    /// Checks that a caller in this state meets the requirement. Records a refusal in the audit log.
    async fn check(
        &self,
        client: &Connection,
        state: Option<SuperAdminState>,
        needed: Requirement,
    ) -> Result<Principal> {
        match self.decide(state, needed) {
            Decision::Allowed(principal) => Ok(principal),
            Decision::Refused(error, id) => {
                let details = json!({ "method": self.method.as_str(), "path": self.path, "needed": needed.role });
                let entry =
                    AuditEntry::done(self.request.actor(&id), AuditAction::AccessRefused, None, details).refused();
                if let Err(error) = audit::store::insert(client, &entry).await {
                    tracing::error!(error = error.chain(), "recording a refusal in the audit log failed");
                }
                Err(error)
            }
        }
    }

    fn key(&self) -> SuperAdminKey<'_> {
        match &self.identity {
            Identity::Own(session) => SuperAdminKey::Id(session.super_admin),
            Identity::Provider { subject, .. } => SuperAdminKey::Subject(subject),
        }
    }

    fn decide(&self, state: Option<SuperAdminState>, needed: Requirement) -> Decision {
        let request = self.request.clone();
        let principal = match (state, &self.identity) {
            (Some(state), identity) => {
                let id = state.id.to_string();
                if state.is_disabled {
                    return Decision::Refused(Error::Unauthenticated("The super-admin is disabled"), id);
                }
                if has_ended(identity, &state) {
                    return Decision::Refused(Error::Unauthenticated("The session has ended; sign in again"), id);
                }
                if state.must_change_password && !needed.accepts_temporary_password {
                    return Decision::Refused(Error::PasswordChangeRequired, id);
                }
                let session = match identity {
                    Identity::Own(session) => Some(*session),
                    Identity::Provider { .. } => None,
                };
                Principal { id, email: Some(state.email), role: state.role, session, request }
            }
            // A super-admin of the identity provider needs no row in the platform database.
            (None, Identity::Provider { subject, role, .. }) => {
                Principal { id: subject.clone(), email: None, role: *role, session: None, request }
            }
            (None, Identity::Own(session)) => {
                let id = session.super_admin.to_string();
                return Decision::Refused(Error::Unauthenticated("The super-admin does not exist"), id);
            }
        };
        if principal.role.allows(needed.role) {
            Decision::Allowed(principal)
        } else {
            Decision::Refused(Error::Forbidden(missing_role(needed.role)), principal.id)
        }
    }

    /// Refuses callers whom the platform database refuses, for a route that must also work while that database is down.
    /// If their state cannot be read within `limit`, the valid token is enough.
    pub async fn refuse_if_known(&self, platform: &Postgres, limit: Duration) -> Result<()> {
        let authorized = async { self.authorize(&platform.get().await?, Requirement::VIEWER).await };
        let error = match tokio::time::timeout(limit, authorized).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error @ (Error::Unauthenticated(_) | Error::Forbidden(_) | Error::PasswordChangeRequired))) => {
                return Err(error);
            }
            Ok(Err(error)) => error.chain(),
            Err(elapsed) => elapsed.to_string(),
        };
        tracing::warn!(error, "reading the super-admin's state failed, accepting the token alone");
        Ok(())
    }
}

/// Whether the session of a token has ended before the token expires.
fn has_ended(identity: &Identity, state: &SuperAdminState) -> bool {
    match identity {
        Identity::Own(session) => session.epoch != state.session_epoch,
        Identity::Provider { issued_at, .. } => {
            state.sessions_ended_at.is_some_and(|ended_at| *issued_at <= ended_at.unix_timestamp())
        }
    }
}

fn missing_role(needed: SuperAdminRole) -> &'static str {
    match needed {
        SuperAdminRole::Owner => "This needs the role owner",
        SuperAdminRole::Operator => "This needs the role operator",
        SuperAdminRole::Viewer => "This needs the role viewer",
    }
}

/// For a route that reads. Reading the caller's state costs no extra round trip: it is sent down the connection together
/// with the handler's first query ([`MayRead::admit`]), or is part of the statement that reads one row
/// ([`MayRead::admit_with_state`]). The handler gets its result only if the caller may read.
pub struct MayRead {
    caller: Caller,
    connection: Connection,
}

impl MayRead {
    /// The connection to the platform database that the handler reads from.
    pub fn client(&self) -> &Connection {
        &self.connection
    }

    /// The result of `work`, if the caller may read.
    pub async fn admit<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let (_, result) = self.admit_principal(work).await?;
        Ok(result)
    }

    /// As [`Self::admit`], with the caller.
    pub async fn admit_principal<T>(&self, work: impl Future<Output = Result<T>>) -> Result<(Principal, T)> {
        // In this order, so that the server runs the authorization query first.
        let (principal, result) = futures::join!(self.caller.authorize(&self.connection, Requirement::VIEWER), work);
        Ok((principal?, result?))
    }

    /// The row that `work` found together with the caller's state, if the caller may read.
    pub async fn admit_with_state<'a, T, F>(
        &'a self,
        work: impl FnOnce(&'a Connection, SuperAdminKey<'a>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<WithSuperAdminState<T>>>,
    {
        let WithSuperAdminState { state, found } = work(&self.connection, self.caller.key()).await?;
        self.caller.check(&self.connection, state, Requirement::VIEWER).await?;
        found
    }
}

impl HandlerArgument for MayRead {
    const REQUIRED_ROLE: Option<SuperAdminRole> = Some(Requirement::VIEWER.role);
}

impl<S> FromRequestParts<S> for MayRead
where
    S: Send + Sync,
    AuthContext: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = <Caller as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        let connection = AuthContext::from_ref(state).platform.get().await?;
        Ok(Self { caller, connection })
    }
}

macro_rules! principal_extractor {
    ($(#[$doc:meta])* $name:ident, $needed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Principal);

        impl HandlerArgument for $name {
            const REQUIRED_ROLE: Option<SuperAdminRole> = Some($needed.role);
        }

        impl<S> FromRequestParts<S> for $name
        where
            S: Send + Sync,
            AuthContext: FromRef<S>,
        {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                let caller = <Caller as FromRequestParts<S>>::from_request_parts(parts, state).await?;
                let connection = AuthContext::from_ref(state).platform.get().await?;
                Ok(Self(caller.authorize(&connection, $needed).await?))
            }
        }
    };
}

principal_extractor!(
    /// For a route that every super-admin may use and that needs the principal.
    AnySuperAdmin,
    Requirement::VIEWER
);
principal_extractor!(
    /// For the route by which super-admins change their own password, also a temporary one.
    MayChangePassword,
    Requirement::CHANGE_PASSWORD
);
principal_extractor!(
    /// For a route that changes a tenant or what belongs to it.
    MayOperate,
    Requirement::OPERATOR
);
principal_extractor!(
    /// For a route that manages super-admins, or does what cannot be undone.
    MayAdminister,
    Requirement::OWNER
);
