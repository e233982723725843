//! Use cases: listing dead letters, and removing those that are of no use.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    clients::{
        postgres::Postgres,
        sqs::{ReceivedMessage, Sqs},
    },
    config::QueueConfig,
    dead_letters::{DeadLetter, DeadLetterAction, QueueName},
    error::Result,
    events,
    operations::{self, OperationStatus, store::journal},
    types::{Actor, OperationId},
};

/// How long messages are hidden from others while they are being looked at.
const HIDDEN: Duration = Duration::from_secs(30);

/// The most messages that one call looks at in each queue, which takes less time than a request has.
const MAX_MESSAGES: usize = 100;

/// Characters of a body that are shown.
const MAX_BODY: usize = 1000;

/// The dead letters of all queues.
pub struct DeadLetters {
    sqs: Sqs,
    queues: QueueConfig,
}

/// What a redrive did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct RedriveReport {
    /// Messages that were removed because nothing was left to do
    pub removed: usize,
    /// Messages that were removed, and whose operation was woken
    pub woken: usize,
    /// Messages that stay
    pub kept: usize,
}

/// A dead letter that is hidden from others meanwhile.
struct HeldLetter {
    letter: DeadLetter,
    message: ReceivedMessage,
    queue_url: String,
}

impl DeadLetters {
    /// Opens no connection yet. Looks at the queues that are configured.
    pub fn new(sqs: Sqs, queues: QueueConfig) -> Self {
        Self { sqs, queues }
    }

    /// At most 100 dead letters of each queue, the oldest first. They stay where they are.
    pub async fn list(&self, platform: &Postgres) -> Result<Vec<DeadLetter>> {
        let held = self.receive(platform).await?;
        for one in &held {
            self.sqs.show(&one.queue_url, &one.message).await?;
        }
        let mut letters: Vec<_> = held.into_iter().map(|one| one.letter).collect();
        letters.sort_by_key(|letter| letter.sent_at);
        Ok(letters)
    }

    /// Removes the dead letters of operations that have ended, and of queues whose messages carry no information; wakes open
    /// operations. A message that cannot be read, or whose operation does not exist, stays unless `remove_unknown`. The audit log
    /// contains what is about to be removed, and the log the messages themselves.
    pub async fn redrive(&self, platform: &Postgres, actor: Actor<'_>, remove_unknown: bool) -> Result<RedriveReport> {
        let stays = |held: &HeldLetter| held.letter.action == DeadLetterAction::Keep && !remove_unknown;
        let (kept, removed): (Vec<_>, Vec<_>) = self.receive(platform).await?.into_iter().partition(stays);
        for one in &kept {
            self.sqs.show(&one.queue_url, &one.message).await?;
        }
        let mut report = RedriveReport { kept: kept.len(), ..RedriveReport::default() };
        if removed.is_empty() {
            return Ok(report);
        }
        audit::store::insert(&platform.get().await?, &audit_entry(actor, &removed)).await?;
        for HeldLetter { letter, message, queue_url } in &removed {
            match (letter.action, letter.operation_id) {
                (DeadLetterAction::Wake, Some(id)) => {
                    wake(platform, id).await?;
                    report.woken += 1;
                }
                _ => report.removed += 1,
            }
            tracing::info!(
                queue = letter.queue.as_str(),
                message.id = letter.id,
                body = letter.body,
                "removed a dead letter"
            );
            self.sqs.delete(queue_url, message).await?;
        }
        Ok(report)
    }

    async fn receive(&self, platform: &Postgres) -> Result<Vec<HeldLetter>> {
        let queues = [
            (QueueName::ProvisionTenant, &self.queues.provision),
            (QueueName::RelayEvents, &self.queues.relay),
            (QueueName::MeasureUsage, &self.queues.measure),
        ];
        let mut held = Vec::new();
        for (queue, url) in queues {
            let Some(url) = url else { continue };
            let Some(queue_url) = self.sqs.find_dead_letter_queue(url).await? else { continue };
            // A queue may deliver a message twice.
            let mut messages = BTreeMap::new();
            while messages.len() < MAX_MESSAGES {
                let received = self.sqs.receive(&queue_url, HIDDEN).await?;
                let before = messages.len();
                messages.extend(received.into_iter().map(|message| (message.id.clone(), message)));
                if messages.len() == before {
                    break;
                }
            }
            for message in messages.into_values() {
                let letter = judge(platform, queue, &message).await?;
                held.push(HeldLetter { letter, message, queue_url: queue_url.clone() });
            }
        }
        Ok(held)
    }
}

fn audit_entry<'a>(actor: Actor<'a>, removed: &[HeldLetter]) -> AuditEntry<'a> {
    let describe = |HeldLetter { letter, .. }: &HeldLetter| json!({ "queue": letter.queue, "message_id": letter.id, "operation_id": letter.operation_id });
    let messages: Vec<_> = removed.iter().map(describe).collect();
    AuditEntry::done(actor, AuditAction::DeadLettersRedrive, None, json!({ "messages": messages }))
}

/// Decides what is to be done with a message.
async fn judge(platform: &Postgres, queue: QueueName, message: &ReceivedMessage) -> Result<DeadLetter> {
    #[derive(Deserialize)]
    struct OperationMessage {
        operation_id: OperationId,
    }
    let mut letter = DeadLetter {
        id: message.id.clone(),
        queue,
        body: message.body.chars().take(MAX_BODY).collect(),
        sent_at: message.sent_at,
        operation_id: None,
        operation_status: None,
        // The schedules do what the messages asked for.
        action: DeadLetterAction::Remove,
    };
    if queue == QueueName::ProvisionTenant {
        let read = serde_json::from_str::<OperationMessage>(&message.body);
        letter.operation_id = read.ok().map(|message| message.operation_id);
        if let Some(id) = letter.operation_id {
            letter.operation_status = journal::find_status(&platform.get().await?, id).await?;
        }
        letter.action = match letter.operation_status {
            None => DeadLetterAction::Keep,
            Some(OperationStatus::Succeeded | OperationStatus::Failed | OperationStatus::Superseded) => {
                DeadLetterAction::Remove
            }
            Some(_) => DeadLetterAction::Wake,
        };
    } else if serde_json::from_str::<serde_json::Value>(&message.body).is_err() {
        letter.action = DeadLetterAction::Keep;
    }
    Ok(letter)
}

/// Enqueues a message about an open operation.
async fn wake(platform: &Postgres, id: OperationId) -> Result<()> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    let operation = operations::store::find(&transaction, id).await?;
    if !operation.has_ended() {
        events::store::enqueue_provision(&transaction, operation.tenant_id, id).await?;
    }
    Ok(transaction.commit().await?)
}
