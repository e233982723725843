//! What a caller may do, looked up anew for each request: an operator who is disabled, gets another role or changes the
//! password is held to it at once, whatever the token says. The extractors [`MayRead`], [`MayOperate`] and
//! [`MayAdminister`] are the check. Every refusal is written to the audit log.

use crate::auth::Identity;
use std::time::Duration;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};
use serde_json::json;

use crate::super_admins::{AuthContext, caller::Caller};
use crate::{
    audit::{self, AuditEntry},
    clients::postgres::{Connection, Postgres},
    error::{Error, Result},
    http::{Problem, RequestInfo},
    super_admins::{
        self,
        store::{SuperAdminKey, SuperAdminState, WithSuperAdminState},
    },
    types::{Actor, SuperAdminRole},
};

/// An operator of the platform who may do what they ask for.
#[derive(Debug, Clone)]
pub struct Principal {
    /// A super-admin's id, or the subject at the identity provider of one who is not known here.
    pub id: String,
    /// Their e-mail address, where it is known.
    pub email: Option<String>,
    /// What they may do.
    pub role: SuperAdminRole,
    request: RequestInfo,
}

impl Principal {
    /// Who does what the request asks for.
    pub fn actor(&self) -> Actor<'_> {
        self.request.actor(&self.id)
    }
}

/// Whether a caller may do what they ask for.
enum Verdict {
    Allowed(Principal),
    /// Why not, and who it is.
    Refused(Error, String),
}

impl Caller {
    /// The caller, if they may do now what takes `needed`. A refusal is written down.
    async fn allow(&self, client: &Connection, needed: SuperAdminRole) -> Result<Principal> {
        let standing = super_admins::store::find_state(client, self.name()).await?;
        self.judge(client, standing, needed).await
    }

    /// The caller, if one of that standing may do what takes `needed`. A refusal is written down.
    async fn judge(
        &self,
        client: &Connection,
        standing: Option<SuperAdminState>,
        needed: SuperAdminRole,
    ) -> Result<Principal> {
        match self.verdict(standing, needed) {
            Verdict::Allowed(admin) => Ok(admin),
            Verdict::Refused(error, id) => {
                let details = json!({ "method": self.method.as_str(), "path": self.path, "needed": needed });
                let entry = AuditEntry::done(self.request.actor(&id), "access.refused", None, details).refused();
                if let Err(error) = audit::store::insert(client, &entry).await {
                    tracing::error!(error = error.chain(), "a refusal is not in the audit log");
                }
                Err(error)
            }
        }
    }

    fn name(&self) -> SuperAdminKey<'_> {
        match &self.identity {
            Identity::Own { id, .. } => SuperAdminKey::Id(*id),
            Identity::Provider { subject, .. } => SuperAdminKey::Subject(subject),
        }
    }

    fn verdict(&self, standing: Option<SuperAdminState>, needed: SuperAdminRole) -> Verdict {
        let request = self.request.clone();
        let admin = match (standing, &self.identity) {
            (Some(standing), identity) => {
                let id = standing.id.to_string();
                let ended = |session_epoch: i32| session_epoch != standing.session_epoch;
                if standing.is_disabled {
                    return Verdict::Refused(Error::Unauthenticated("The operator is disabled"), id);
                }
                if matches!(identity, Identity::Own { session_epoch, .. } if ended(*session_epoch)) {
                    return Verdict::Refused(Error::Unauthenticated("The session has ended; sign in again"), id);
                }
                Principal { id, email: Some(standing.email), role: standing.role, request }
            }
            // The identity provider vouches for those whom nobody here has said anything about.
            (None, Identity::Provider { subject, role }) => {
                Principal { id: subject.clone(), email: None, role: *role, request }
            }
            (None, Identity::Own { id, .. }) => {
                return Verdict::Refused(Error::Unauthenticated("The operator is not known"), id.to_string());
            }
        };
        if admin.role.allows(needed) {
            Verdict::Allowed(admin)
        } else {
            Verdict::Refused(Error::Forbidden(too_little(needed)), admin.id)
        }
    }

    /// For what has to be told even when the platform database is down: refuses those whom it says to refuse within
    /// `limit`. Where it cannot tell, the token's own word counts.
    pub async fn refuse_if_known(&self, platform: &Postgres, limit: Duration) -> Result<()> {
        let look = async { self.allow(&platform.get().await?, SuperAdminRole::Viewer).await };
        match tokio::time::timeout(limit, look).await {
            Ok(Err(error @ (Error::Unauthenticated(_) | Error::Forbidden(_)))) => Err(error),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(error = error.chain(), "an operator is taken at the token's word");
                Ok(())
            }
            Err(_) => {
                tracing::warn!("an operator is taken at the token's word");
                Ok(())
            }
        }
    }
}

fn too_little(needed: SuperAdminRole) -> &'static str {
    match needed {
        SuperAdminRole::Owner => "This needs the role owner",
        SuperAdminRole::Operator => "This needs the role operator",
        SuperAdminRole::Viewer => "This needs the role viewer",
    }
}

/// The check of a route that reads. To look at what the caller may do costs no round trip of its own: it goes down the
/// connection together with the first query of the handler ([`MayRead::admit`]), or in the very statement that reads one row
/// ([`MayRead::admit_with_state`]). What was read is given only to those who may have it.
pub struct MayRead {
    caller: Caller,
    connection: Connection,
}

impl MayRead {
    /// The connection to the platform database to read from.
    pub fn client(&self) -> &Connection {
        &self.connection
    }

    /// The result of `work`, if the caller may read.
    pub async fn admit<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        // In this order, so that the server is at the look first.
        let (admin, result) = futures::join!(self.caller.allow(&self.connection, SuperAdminRole::Viewer), work);
        admin?;
        result
    }

    /// What `work` found, if the caller may read: for the one row that is read together with what the caller is.
    pub async fn admit_with_state<'a, T, F>(
        &'a self,
        work: impl FnOnce(&'a Connection, SuperAdminKey<'a>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<WithSuperAdminState<T>>>,
    {
        let WithSuperAdminState { standing, found } = work(&self.connection, self.caller.name()).await?;
        self.caller.judge(&self.connection, standing, SuperAdminRole::Viewer).await?;
        found
    }
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

macro_rules! eager {
    ($(#[$doc:meta])* $name:ident, $needed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Principal);

        impl<S> FromRequestParts<S> for $name
        where
            S: Send + Sync,
            AuthContext: FromRef<S>,
        {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                let caller = <Caller as FromRequestParts<S>>::from_request_parts(parts, state).await?;
                let connection = AuthContext::from_ref(state).platform.get().await?;
                Ok(Self(caller.allow(&connection, $needed).await?))
            }
        }
    };
}

eager!(
    /// The check of a route that every operator may use, and that needs to know who it is.
    AnySuperAdmin,
    SuperAdminRole::Viewer
);
eager!(
    /// The check of a route that changes something of a tenant's.
    MayOperate,
    SuperAdminRole::Operator
);
eager!(
    /// The check of a route that administers operators.
    MayAdminister,
    SuperAdminRole::Owner
);
