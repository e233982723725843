//! Probes SQS: the messages in the queues and in their dead-letter queues.

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

use crate::{
    clients::{self, sqs::dead_letter_queue},
    health::{
        ComponentStatus,
        checks::{
            deadline::ProbeDeadline,
            error::ProbeError,
            probes::aws::describe,
            readings::{QueueReading, SqsReading, StoreReading},
        },
    },
};

pub(super) struct SqsProbe {
    client: clients::sqs::Sqs,
    urls: Vec<String>,
    /// URLs of dead-letter queues by their ARN, which is what a queue names.
    dead_letter_urls: Mutex<HashMap<String, String>>,
}

impl SqsProbe {
    /// Opens no connection.
    pub(super) fn new(client: clients::sqs::Sqs, urls: Vec<String>) -> Self {
        Self { client, urls, dead_letter_urls: Mutex::default() }
    }

    /// Leaves `oldest_age_seconds` empty, because SQS does not report it.
    pub(super) async fn read(&self, deadline: ProbeDeadline) -> SqsReading {
        let (reading, queues) = match deadline.wait(self.query()).await {
            Ok(response) => (StoreReading::up(&response, None), response.value),
            Err(error) => (StoreReading::down("sqs", error), BTreeMap::new()),
        };
        let reading = match queues.values().filter_map(|queue| queue.dead_letters).sum::<i64>() {
            0 => reading,
            1 => reading.with_problem(ComponentStatus::Degraded, "1 dead letter"),
            count => reading.with_problem(ComponentStatus::Degraded, format!("{count} dead letters")),
        };
        SqsReading { reading, oldest_age_seconds: None, queues }
    }

    async fn query(&self) -> Result<BTreeMap<String, QueueReading>, ProbeError> {
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
            Ok::<_, ProbeError>((name(url).to_owned(), QueueReading { depth, in_flight, dead_letters }))
        });
        Ok(try_join_all(queues).await?.into_iter().collect())
    }

    async fn count_dead_letters(&self, client: &Client, arn: &str) -> Result<i64, ProbeError> {
        let known = self.known().get(arn).cloned();
        let url = if let Some(url) = known {
            url
        } else {
            let name = arn.rsplit(':').next().unwrap_or_default();
            let found = client.get_queue_url().queue_name(name).send().await.map_err(|error| describe(&error))?;
            let url = found.queue_url.ok_or_else(|| ProbeError::new("invalid response"))?;
            self.known().insert(arn.to_owned(), url.clone());
            url
        };
        number(&attributes(client, &url, false).await?, &ApproximateNumberOfMessages)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.dead_letter_urls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type QueueAttributes = HashMap<QueueAttributeName, String>;

async fn attributes(client: &Client, url: &str, all: bool) -> Result<QueueAttributes, ProbeError> {
    let mut request = client.get_queue_attributes().queue_url(url).attribute_names(ApproximateNumberOfMessages);
    if all {
        request = request.attribute_names(ApproximateNumberOfMessagesNotVisible).attribute_names(RedrivePolicy);
    }
    let response = request.send().await.map_err(|error| {
        // The second is the code of the older query protocol, which SQS still returns.
        let missing = ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"];
        let is_missing = error.code().is_some_and(|code| missing.contains(&code));
        if is_missing {
            ProbeError::because(format!("the queue {} does not exist", name(url)), &error)
        } else {
            describe(&error)
        }
    })?;
    Ok(response.attributes.unwrap_or_default())
}

fn number(attributes: &QueueAttributes, name: &QueueAttributeName) -> Result<i64, ProbeError> {
    let number = attributes.get(name).and_then(|text| text.parse().ok());
    number.ok_or_else(|| ProbeError::new("invalid response"))
}

/// The name of a queue, which is the end of its URL.
fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}
