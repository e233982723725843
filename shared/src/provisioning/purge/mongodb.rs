//! The removal of the tenant's MongoDB database, and of the login of the platform's services.

use std::time::Duration;

use mongodb::bson::{Bson, doc};

use super::figures::{Figures, Progress, figures};
use crate::{
    operations::{StepName, store::breakers::StoreKind},
    provisioning::{
        step::{Step, StepContext, StepError, UNDO_TIMEOUT},
        steps::mongodb::{MongodbDatabase, client},
    },
};

pub(super) struct MongodbRemoval;

impl Step for MongodbRemoval {
    const NAME: StepName = StepName::MongodbRemoval;
    const STORE: StoreKind = StoreKind::Mongodb;
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
    MongodbDatabase.undo(context).await
}

async fn count(context: &StepContext<'_>) -> Result<Figures, StepError> {
    let database = client(context).await?.database(context.database);
    let stats = database.run_command(doc! { "dbStats": 1 }).await?;
    let number = |name: &str| match stats.get(name) {
        Some(Bson::Int32(number)) => i64::from(*number),
        Some(Bson::Int64(number)) => *number,
        #[expect(clippy::cast_possible_truncation, reason = "MongoDB writes whole numbers as doubles")]
        Some(Bson::Double(number)) => *number as i64,
        _ => 0,
    };
    let collections = number("collections");
    Ok(figures([
        ("databases", i64::from(collections > 0)),
        ("collections", collections),
        ("documents", number("objects")),
        ("bytes", number("dataSize")),
    ]))
}
