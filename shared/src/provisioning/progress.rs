//! How far a step is, as recorded in the journal.

use serde::{Serialize, de::DeserializeOwned};

use super::step::{StepContext, StepError};
use crate::{
    error::Error,
    operations::{StepName, store::progress as journal},
};

/// What an earlier attempt at a step has recorded. `None` before the first one.
pub(super) async fn find<P: DeserializeOwned>(
    context: &StepContext<'_>,
    step: StepName,
) -> Result<Option<P>, StepError> {
    let stored = journal::find(&context.platform.get().await?, context.lease, step).await?;
    Ok(stored.map(serde_json::from_value).transpose().map_err(Error::internal)?)
}

/// As [`find`]. The default before the first attempt.
pub(super) async fn load<P: DeserializeOwned + Default>(
    context: &StepContext<'_>,
    step: StepName,
) -> Result<P, StepError> {
    Ok(find(context, step).await?.unwrap_or_default())
}

/// Fails with [`StepError::fenced`] if another worker has taken the operation.
pub(super) async fn save(
    context: &StepContext<'_>,
    step: StepName,
    progress: &impl Serialize,
) -> Result<(), StepError> {
    let recorded = serde_json::to_value(progress).map_err(Error::internal)?;
    Ok(journal::record(&context.platform.get().await?, context.lease, step, &recorded, context.budget).await?)
}

/// Forgets what steps have recorded, so that the next attempt begins them again from their start.
pub(super) async fn restart(context: &StepContext<'_>, steps: &[StepName]) -> Result<(), StepError> {
    Ok(journal::restart(&context.platform.get().await?, context.lease, steps).await?)
}
