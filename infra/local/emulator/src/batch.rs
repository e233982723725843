//! What a function's answer to a batch means (`ReportBatchItemFailures`).

use std::collections::HashSet;

use serde_json::Value;

/// Which messages of a batch failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Those with these ids, often none.
    Failed(HashSet<String>),
    /// All of them, and why.
    AllFailed(String),
}

impl Outcome {
    /// Whether the message with this id succeeded.
    pub fn succeeded(&self, id: &str) -> bool {
        match self {
            Self::Failed(ids) => !ids.contains(id),
            Self::AllFailed(_) => false,
        }
    }
}

/// Reads an answer to a batch of the messages `ids`, as AWS Lambda does.
///
/// Nothing, `null`, no list or an empty list: all succeeded. Anything that does not name messages of the batch, each by
/// its `itemIdentifier`: all failed.
pub fn outcome(answer: &str, ids: &[&str]) -> Outcome {
    let all_failed = |why: &str| Outcome::AllFailed(format!("the function's answer is invalid: {why}"));
    if answer.trim().is_empty() {
        return Outcome::Failed(HashSet::new());
    }
    let Ok(answer) = serde_json::from_str::<Value>(answer) else { return all_failed("not JSON") };
    let failures = match &answer {
        Value::Object(answer) => answer.get("batchItemFailures").unwrap_or(&Value::Null),
        Value::Null => &Value::Null,
        _ => return all_failed("neither an object nor null"),
    };
    let failures = match failures {
        Value::Null => return Outcome::Failed(HashSet::new()),
        Value::Array(failures) => failures,
        _ => return all_failed("batchItemFailures is not a list"),
    };
    let mut failed = HashSet::new();
    for failure in failures {
        match failure.get("itemIdentifier").and_then(Value::as_str) {
            Some(id) if ids.contains(&id) => failed.insert(id.to_owned()),
            Some(id) => return all_failed(&format!("no message of the batch is called {id:?}")),
            None => return all_failed("an item without an itemIdentifier"),
        };
    }
    Outcome::Failed(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: [&str; 2] = ["one", "two"];

    fn failed(ids: &[&str]) -> Outcome {
        Outcome::Failed(ids.iter().map(|id| (*id).to_owned()).collect())
    }

    #[test]
    fn an_answer_that_names_no_failure_is_success_of_all() {
        for answer in ["", " ", "null", "{}", r#"{"batchItemFailures":null}"#, r#"{"batchItemFailures":[]}"#] {
            assert_eq!(outcome(answer, &IDS), failed(&[]), "{answer:?}");
        }
    }

    #[test]
    fn what_is_named_failed_and_nothing_else() {
        let answer = r#"{"batchItemFailures":[{"itemIdentifier":"two"},{"itemIdentifier":"two"}]}"#;
        let outcome = outcome(answer, &IDS);
        assert_eq!(outcome, failed(&["two"]));
        assert!(outcome.succeeded("one") && !outcome.succeeded("two"));
    }

    #[test]
    fn an_answer_that_makes_no_sense_fails_the_whole_batch() {
        let nonsense = [
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
        for answer in nonsense {
            let outcome = outcome(answer, &IDS);
            assert!(matches!(outcome, Outcome::AllFailed(_)), "{answer}");
            assert!(!outcome.succeeded("one") && !outcome.succeeded("two"), "{answer}");
        }
    }
}
