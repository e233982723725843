//! The dead letters of all queues.

use crate::{
    dead_letters::DeadLetterAction,
    error::Result,
    reconciliation::{FindingKind, Repair, run::Check, store::findings::NewFinding},
};

pub(in crate::reconciliation) async fn run(check: &Check<'_>) -> Result<i64> {
    let letters = check.reconciler.dead_letters.list(&check.reconciler.platform).await?;
    let compared = i64::try_from(letters.len()).unwrap_or(i64::MAX);
    let findings = letters.into_iter().map(|letter| NewFinding {
        detail: Some(format!("in the queue {}: {}", letter.queue.as_str(), letter.body)),
        since: letter.sent_at,
        repair: (letter.action != DeadLetterAction::Keep).then_some(Repair::Redrive),
        ..NewFinding::new(FindingKind::DeadLetter, letter.id)
    });
    check.add(findings.collect()).await?;
    Ok(compared)
}
