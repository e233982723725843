//! SQS: what waits in the queues, and what was given up.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_sdk_sqs::{
    Client,
    error::ProvideErrorMetadata,
    types::QueueAttributeName,
    types::QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible, RedrivePolicy},
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::health::checks::{
    minio::trouble,
    probe::{Deadline, Trouble},
    report::Reading,
};
use crate::{clients, health::Condition};

/// SQS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SqsReading {
    /// Of all queues.
    #[serde(flatten)]
    pub reading: Reading,
    /// Seconds that the oldest operation has waited to be taken up, 0 when none waits; `null` when the platform database,
    /// which knows it, does not say.
    pub oldest_age_seconds: Option<f64>,
    /// The queues by name.
    pub queues: BTreeMap<String, QueueReading>,
}

/// A queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct QueueReading {
    /// Messages that wait.
    pub depth: i64,
    /// Messages that are being worked on.
    pub in_flight: i64,
    /// Messages that were given up; `null` where the queue keeps none.
    pub dead_letters: Option<i64>,
}

/// The queues.
pub(super) struct Sqs {
    client: clients::sqs::Sqs,
    urls: Vec<String>,
    /// URLs of dead letter queues by the ARN that their queues name.
    dead_letters: Mutex<HashMap<String, String>>,
}

impl Sqs {
    /// Connects to nothing yet.
    pub(super) fn new(client: clients::sqs::Sqs, urls: Vec<String>) -> Self {
        Self { client, urls, dead_letters: Mutex::default() }
    }

    /// `oldest_age_seconds` is left for those who know it.
    pub(super) async fn read(&self, deadline: Deadline) -> SqsReading {
        let (reading, queues) = match deadline.ask(self.look()).await {
            Ok(answered) => (Reading::up(&answered, None), answered.answer),
            Err(trouble) => (Reading::down("sqs", trouble), BTreeMap::new()),
        };
        let reading = match queues.values().filter_map(|queue| queue.dead_letters).sum::<i64>() {
            0 => reading,
            1 => reading.but(Condition::Degraded, "1 dead letter"),
            count => reading.but(Condition::Degraded, format!("{count} dead letters")),
        };
        SqsReading { reading, oldest_age_seconds: None, queues }
    }

    async fn look(&self) -> Result<BTreeMap<String, QueueReading>, Trouble> {
        let client = self.client.client().await;
        let queues = self.urls.iter().map(async |url| {
            let attributes = attributes(client, url, true).await?;
            let dead_letters = match attributes.get(&RedrivePolicy).and_then(|policy| dead_letter_queue(policy)) {
                Some(arn) => Some(self.count_dead_letters(client, &arn).await?),
                None => None,
            };
            let count = |name| number(&attributes, name);
            let (depth, in_flight) =
                (count(&ApproximateNumberOfMessages)?, count(&ApproximateNumberOfMessagesNotVisible)?);
            Ok::<_, Trouble>((name(url).to_owned(), QueueReading { depth, in_flight, dead_letters }))
        });
        Ok(try_join_all(queues).await?.into_iter().collect())
    }

    async fn count_dead_letters(&self, client: &Client, arn: &str) -> Result<i64, Trouble> {
        let known = self.known().get(arn).cloned();
        let url = if let Some(url) = known {
            url
        } else {
            let name = arn.rsplit(':').next().unwrap_or_default();
            let found = client.get_queue_url().queue_name(name).send().await.map_err(|error| trouble(&error))?;
            let url = found.queue_url.ok_or_else(|| Trouble::new("its answer cannot be understood"))?;
            self.known().insert(arn.to_owned(), url.clone());
            url
        };
        number(&attributes(client, &url, false).await?, &ApproximateNumberOfMessages)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.dead_letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Attributes = HashMap<QueueAttributeName, String>;

async fn attributes(client: &Client, url: &str, all: bool) -> Result<Attributes, Trouble> {
    let mut request = client.get_queue_attributes().queue_url(url).attribute_names(ApproximateNumberOfMessages);
    if all {
        request = request.attribute_names(ApproximateNumberOfMessagesNotVisible).attribute_names(RedrivePolicy);
    }
    let answer = request.send().await.map_err(|error| {
        // The latter is the code of the protocol before this one, which SQS still gives.
        let missing = ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"];
        let is_missing = error.code().is_some_and(|code| missing.contains(&code));
        if is_missing {
            Trouble::because(format!("the queue {} does not exist", name(url)), &error)
        } else {
            trouble(&error)
        }
    })?;
    Ok(answer.attributes.unwrap_or_default())
}

fn number(attributes: &Attributes, name: &QueueAttributeName) -> Result<i64, Trouble> {
    let number = attributes.get(name).and_then(|text| text.parse().ok());
    number.ok_or_else(|| Trouble::new("its answer cannot be understood"))
}

/// The ARN of the queue that a redrive policy names.
fn dead_letter_queue(policy: &str) -> Option<String> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    policy["deadLetterTargetArn"].as_str().map(ToOwned::to_owned)
}

/// The name of a queue, which its URL ends with.
fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}
