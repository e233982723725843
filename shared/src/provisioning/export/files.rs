//! The files that the steps of an export write.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::{
    exports::{self, Content, Sums},
    operations::{StepName, store::journal},
    provisioning::{
        copy::{FileWriter, Sink},
        export::objects::remove_files,
        progress,
        step::{StepContext, StepError},
    },
    types::ExportId,
};

/// A file is finished when it has this size. What follows goes to the next one, so that the next attempt repeats little.
pub(super) const FILE_BYTES: u64 = 32 << 20;

/// A file is finished after this time too, because an attempt may be short.
const FILE_TIME: Duration = Duration::from_secs(3);

/// As [`progress::save`]. If the lease is lost, the files that were not recorded are removed; unless the answer was lost, in which case the files of
/// the manifest decide.
pub(super) async fn save_files(
    context: &StepContext<'_>,
    step: StepName,
    made: &impl Serialize,
    keys: &[String],
) -> Result<(), StepError> {
    let saved = progress::save(context, step, made).await;
    if saved.as_ref().is_err_and(StepError::is_fenced) {
        remove_late_files(context, keys).await;
    }
    saved
}

/// The error of an attempt that has written files and cannot record them. The next attempt removes them, unless it has ended before this worker
/// wrote them: a lost lease is the error then, and they are removed here.
pub(super) async fn give_up_files(context: &StepContext<'_>, keys: &[String], error: StepError) -> StepError {
    let check = async { Ok::<_, StepError>(journal::check(&context.platform.get().await?, context.lease).await?) };
    match check.await {
        Err(lost) if lost.is_fenced() => {
            remove_late_files(context, keys).await;
            lost
        }
        _ => error,
    }
}

/// Removes files that nobody is going to read.
async fn remove_late_files(context: &StepContext<'_>, keys: &[String]) {
    // The error of the removal would hide that the lease is lost, and the rules of the bucket remove what stays.
    if let Err(error) = remove_files(context, keys).await {
        tracing::warn!(cause = error.cause(), "files of a late worker were not removed: {}", error.reason);
    }
}

/// The prefix of the files of a step.
pub(super) fn step_prefix(context: &StepContext<'_>, export: ExportId, folder: &str) -> String {
    format!("{}{folder}/", exports::prefix(context.lease.tenant_id, export))
}

/// The key of a file, which only this attempt uses.
pub(super) fn key(context: &StepContext<'_>, export: ExportId, folder: &str, name: &str) -> String {
    format!("{}{}/{name}", step_prefix(context, export, folder), context.lease.token)
}

/// The fencing token in a key.
pub(super) fn token(key: &str) -> Option<i64> {
    key.rsplit('/').nth(1)?.parse().ok()
}

/// The file that is being written, and the sums of its lines.
pub(super) struct OpenFile<'a> {
    context: &'a StepContext<'a>,
    key: String,
    writer: FileWriter<'a>,
    sums: Sums,
    opened_at: Instant,
}

impl<'a> OpenFile<'a> {
    pub(super) fn new(context: &'a StepContext<'a>, key: String) -> Self {
        let writer = FileWriter::new(&context.stores.bucket, key.clone());
        Self { context, key, writer, sums: Sums::default(), opened_at: Instant::now() }
    }

    pub(super) async fn write(&mut self, line: &[u8]) -> Result<(), StepError> {
        self.sums.add(line);
        self.writer.write(line).await
    }

    /// Whether the next line belongs to the next file.
    pub(super) fn is_full(&self, limit: u64) -> bool {
        self.writer.size() >= limit || self.opened_at.elapsed() >= FILE_TIME
    }

    /// Completes the file, and returns its key. Without a line, no file is written.
    pub(super) async fn finish(self, content: &mut Content) -> Result<Option<String>, StepError> {
        if self.sums.lines == 0 {
            return Ok(None);
        }
        match self.writer.finish().await {
            Ok(file) => content.push(file, self.sums),
            // The request may have arrived all the same.
            Err(error) => return Err(give_up_files(self.context, &[self.key], error).await),
        }
        Ok(Some(self.key))
    }

    /// Gives up the file after an error.
    pub(super) async fn abort(self) {
        self.writer.abort().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_contains_the_token_of_its_attempt() {
        assert_eq!(token("exports/tenant/export/postgresql/17/users.copy.gz"), Some(17));
        assert_eq!(token("exports/tenant/export/manifest.json"), None);
    }
}
