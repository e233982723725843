//! Whether the platform's services may connect to the tenant's PostgreSQL database. Their logins are members of `landlord_service`, and
//! `PUBLIC` may connect to no database of a tenant.
//!
//! Fenced like every statement of this store: a worker that takes over ends the sessions of earlier workers first.

use std::time::Duration;

use tokio_postgres::{Client, error::SqlState};

use super::{comment, open_pooled};
use crate::{
    operations::{StepName, store::breakers::StoreKind},
    provisioning::step::{ServiceAccess, Step, StepContext, StepError},
};

pub(in crate::provisioning) struct PostgresqlAccess(pub(in crate::provisioning) ServiceAccess);

impl Step for PostgresqlAccess {
    const NAME: StepName = StepName::PostgresqlAccess;
    const STORE: StoreKind = StoreKind::Postgresql;
    const FENCED: bool = true;

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let session = open_pooled(context).await?;
        let name = context.database;
        let change = match self.0 {
            ServiceAccess::Granted => format!("GRANT CONNECT ON DATABASE {name} TO landlord_service"),
            ServiceAccess::Revoked => format!("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC, landlord_service"),
        };
        // After a promotion, the databases belong to another tenant than the comment names.
        match session.batch_execute(&format!("{change}; {}", comment(context))).await {
            Ok(()) => {}
            // A tenant that was never active may have none.
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_DATABASE) && self.0 == ServiceAccess::Revoked => {
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        match self.0 {
            ServiceAccess::Granted => Ok(()),
            ServiceAccess::Revoked => end_sessions(context, &session).await,
        }
    }

    /// Does nothing: an operation that changes the access is never rolled back, only superseded.
    async fn undo(&self, _: &StepContext<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

/// Ends every session in the tenant's database, except those of superusers and of the platform itself. A session becomes visible
/// only after the server has checked its right to connect, so that one look is not enough.
async fn end_sessions(context: &StepContext<'_>, client: &Client) -> Result<(), StepError> {
    const PAUSE: Duration = Duration::from_millis(30);
    const MAX_LOOKS: u32 = 200;
    let mut empty = 0;
    for _ in 0..MAX_LOOKS {
        let ended = client
            .query(
                "SELECT pg_terminate_backend(a.pid)
                 FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
                 WHERE a.datname = $1 AND NOT r.rolsuper
                     AND NOT pg_has_role(r.oid, 'landlord_api', 'MEMBER')
                     AND NOT pg_has_role(r.oid, 'landlord_provisioner', 'MEMBER')",
                &[&context.database],
            )
            .await?;
        empty = if ended.is_empty() { empty + 1 } else { 0 };
        if empty == 2 {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(StepError::transient("A service's session with the tenant's PostgreSQL database has not ended yet"))
}
