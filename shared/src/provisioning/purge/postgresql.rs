//! The removal of the tenant's PostgreSQL database.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::figures::{Figures, Progress, figures};
use crate::{
    operations::{StepName, store::breakers::StoreKind},
    provisioning::{
        step::{Step, StepContext, StepError, UNDO_TIMEOUT},
        steps::postgresql::{PostgresqlDatabase, open_in_tenant, open_pooled},
        store,
    },
};

pub(super) struct PostgresqlRemoval;

impl Step for PostgresqlRemoval {
    const NAME: StepName = StepName::PostgresqlRemoval;
    const STORE: StoreKind = StoreKind::Postgresql;
    const FENCED: bool = true;
    const LIMIT: Duration = UNDO_TIMEOUT;

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        Progress::begin(context, Self::NAME, async || count(context).await).await?;
        remove(context).await
    }

    /// Does nothing: a purge has no rollback.
    async fn undo(&self, _: &StepContext<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

pub(super) async fn remove(context: &StepContext<'_>) -> Result<(), StepError> {
    PostgresqlDatabase.undo(context).await
}

async fn count(context: &StepContext<'_>) -> Result<Figures, StepError> {
    let session = open_pooled(context).await?;
    let Some(bytes) = store::find_database_size(&session, context.database).await? else {
        return Ok(figures([("databases", 0), ("rows", 0), ("bytes", 0)]));
    };
    drop(session);
    let rows = async {
        let inside = open_in_tenant(context).await?;
        Ok::<_, StepError>(store::count_rows(&inside).await?)
    };
    let rows = match rows.await {
        // Its creation was interrupted before it was opened for connections, so that it contains nothing of the tenant.
        Err(error) if error.is_answer(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) => 0,
        rows => rows?,
    };
    Ok(figures([("databases", 1), ("rows", rows), ("bytes", bytes)]))
}
