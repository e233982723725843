//! A function's answer to a batch of messages (`ReportBatchItemFailures`).

use std::collections::HashSet;

use serde_json::Value;

/// Which messages of a batch failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BatchOutcome {
    /// The ids of the messages that failed, often none.
    Failed(HashSet<String>),
    /// Every message failed, for this reason.
    AllFailed(String),
}

impl BatchOutcome {
    /// Whether the message with this id succeeded.
    pub fn succeeded(&self, id: &str) -> bool {
        match self {
            Self::Failed(ids) => !ids.contains(id),
            Self::AllFailed(_) => false,
        }
    }
}

/// Parses the answer to a batch of the messages `ids`, as AWS Lambda does.
///
/// All messages succeeded when the answer is empty or `null`, or its list is missing, `null` or empty. All failed when an item of
/// the list is not the `itemIdentifier` of a message of the batch, or the answer is malformed.
pub fn parse_answer(answer: &str, ids: &[&str]) -> BatchOutcome {
    let all_failed = |reason: &str| BatchOutcome::AllFailed(format!("the function's answer is invalid: {reason}"));
    if answer.trim().is_empty() {
        return BatchOutcome::Failed(HashSet::new());
    }
    let Ok(answer) = serde_json::from_str::<Value>(answer) else { return all_failed("not JSON") };
    let failures = match &answer {
        Value::Object(answer) => answer.get("batchItemFailures").unwrap_or(&Value::Null),
        Value::Null => &Value::Null,
        _ => return all_failed("neither an object nor null"),
    };
    let failures = match failures {
        Value::Null => return BatchOutcome::Failed(HashSet::new()),
        Value::Array(failures) => failures,
        _ => return all_failed("batchItemFailures is not a list"),
    };
    let mut failed = HashSet::new();
    for failure in failures {
        match failure.get("itemIdentifier").and_then(Value::as_str) {
            Some(id) if ids.contains(&id) => failed.insert(id.to_owned()),
            Some(id) => return all_failed(&format!("the batch contains no message {id:?}")),
            None => return all_failed("an item has no itemIdentifier"),
        };
    }
    BatchOutcome::Failed(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: [&str; 2] = ["one", "two"];

    fn failed(ids: &[&str]) -> BatchOutcome {
        BatchOutcome::Failed(ids.iter().map(|id| (*id).to_owned()).collect())
    }

    #[test]
    fn without_a_named_failure_all_messages_succeed() {
        for answer in ["", " ", "null", "{}", r#"{"batchItemFailures":null}"#, r#"{"batchItemFailures":[]}"#] {
            assert_eq!(parse_answer(answer, &IDS), failed(&[]), "{answer:?}");
        }
    }

    #[test]
    fn only_the_named_messages_failed() {
        let answer = r#"{"batchItemFailures":[{"itemIdentifier":"two"},{"itemIdentifier":"two"}]}"#;
        let outcome = parse_answer(answer, &IDS);
        assert_eq!(outcome, failed(&["two"]));
        assert!(outcome.succeeded("one") && !outcome.succeeded("two"));
    }

    #[test]
    fn a_malformed_answer_fails_the_whole_batch() {
        let malformed = [
            "ok",
            r#""ok""#,
            "[]",
            r#"{"batchItemFailures":"two"}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"three"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"item_identifier":"two"}]}"#,
            r#"{"batchItemFailures":["two"]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"two"},{}]}"#,
        ];
        for answer in malformed {
            let outcome = parse_answer(answer, &IDS);
            assert!(matches!(outcome, BatchOutcome::AllFailed(_)), "{answer}");
            assert!(!outcome.succeeded("one") && !outcome.succeeded("two"), "{answer}");
        }
    }
}
