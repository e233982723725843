//! How far a step is, as recorded in the journal.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::Error,
    operations::{StepName, store::removal},
    provisioning::step::{StepContext, StepError},
};

/// What an earlier attempt at a step has recorded. The default before the first one.
pub(super) async fn load<P: DeserializeOwned + Default>(
    context: &StepContext<'_>,
    step: StepName,
) -> Result<P, StepError> {
    let stored = removal::find_progress(&context.platform.get().await?, context.lease, step).await?;
    Ok(stored.map(serde_json::from_value).transpose().map_err(Error::internal)?.unwrap_or_default())
}

/// Fails with [`StepError::fenced`] if another worker has taken the operation.
pub(super) async fn save(
    context: &StepContext<'_>,
    step: StepName,
    progress: &impl Serialize,
) -> Result<(), StepError> {
    let progress = serde_json::to_value(progress).map_err(Error::internal)?;
    Ok(removal::record_progress(&context.platform.get().await?, context.lease, step, &progress).await?)
}
