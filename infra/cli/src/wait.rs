//! `--wait`: follows an operation until it ends.

use std::{
    io::Write,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    client::Client,
    document::{Document, Operation},
    error::{CliError, Exit, Result},
    output::Format,
    problem,
    request::{ApiRequest, encode},
    text::printable,
};

const PATH: &str = "/api/super-admin/operations/{id}";

/// The longest time that the API lets a request wait for a change.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

const LONGEST_PAUSE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    Failed,
    /// It goes on.
    TimedOut,
}

/// What was printed last of an operation.
#[derive(Default)]
struct Shown {
    status: String,
    reason: String,
    /// Name, status, attempts and error of each step.
    steps: Vec<String>,
}

impl Shown {
    /// Prints what has changed.
    fn update(&mut self, operation: &Value, out: &mut impl Write) -> Result<()> {
        let text = |value: &Value| value.as_str().map(|text| printable(text).into_owned()).unwrap_or_default();
        let status = text(&operation["status"]);
        if status != self.status {
            writeln!(out, "{} {}: {status}", text(&operation["kind"]), text(&operation["id"]))?;
            self.status = status;
        }
        for (index, step) in operation["steps"].as_array().into_iter().flatten().enumerate() {
            let attempts = step["attempts"].as_i64().filter(|attempts| *attempts > 1);
            let attempts = attempts.map(|attempts| format!(" (attempt {attempts})")).unwrap_or_default();
            let error = step["error"].as_str().map(|error| format!(": {}", printable(error))).unwrap_or_default();
            let line = format!("  {} {}{attempts}{error}", text(&step["name"]), text(&step["status"]));
            if self.steps.len() <= index {
                self.steps.push(String::new());
            }
            let is_new = self.steps[index] != line && (!self.steps[index].is_empty() || step["status"] != "pending");
            if is_new {
                writeln!(out, "{line}")?;
                self.steps[index] = line;
            }
        }
        let reason = text(&operation["reason"]);
        if reason != self.reason && !reason.is_empty() {
            writeln!(out, "  {reason}")?;
        }
        self.reason = reason;
        Ok(())
    }
}

/// Follows an operation for at most `limit`, and prints each change of a step. The API may be unreachable meanwhile.
pub(crate) fn follow(
    client: &Client,
    document: &Document,
    id: &str,
    limit: Duration,
    out: &mut impl Write,
) -> Result<Outcome> {
    let described: Option<&Operation> = document.find("GET", PATH);
    let begun = Instant::now();
    let mut shown = Shown::default();
    let (mut tag, mut is_reachable): (Option<String>, bool) = (None, true);
    loop {
        let left = limit.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Ok(Outcome::TimedOut);
        }
        let wait = LONGEST_WAIT.min(left);
        let mut request = ApiRequest::get(PATH.replace("{id}", &encode(id)));
        request.set_query("wait", wait.as_secs().to_string());
        request.headers.extend(tag.iter().map(|tag| ("if-none-match".to_owned(), tag.clone())));
        let mut pause = Duration::from_secs(1);
        let trouble = match client.send_and_wait(&request, wait) {
            Err(error) if error.exit == Exit::Unreachable => Some(error.to_string()),
            Err(error) => return Err(error),
            Ok(answer) if answer.is_success() || answer.status == 304 => {
                pause = answer.retry_after().unwrap_or(pause);
                if answer.is_success() {
                    tag = answer.header("etag").map(ToOwned::to_owned);
                    let operation: Value = serde_json::from_str(&answer.body)
                        .map_err(|error| CliError::failed(format!("error: malformed response: {error}")))?;
                    shown.update(&operation, out)?;
                    match operation["status"].as_str() {
                        Some("succeeded") => return Ok(Outcome::Succeeded),
                        Some("failed") => return Ok(Outcome::Failed),
                        _ => {}
                    }
                }
                None
            }
            Ok(answer) if answer.is_transient() => {
                pause = answer.retry_after().unwrap_or(pause);
                Some(problem::refusal(&answer, described, Format::Table).to_string())
            }
            Ok(answer) => return Err(problem::refusal(&answer, described, Format::Table)),
        };
        if let Some(trouble) = trouble.as_ref().filter(|_| is_reachable) {
            writeln!(out, "{trouble}\nStill following the operation.")?;
        }
        is_reachable = trouble.is_none();
        thread::sleep(pause.min(LONGEST_PAUSE).min(limit.saturating_sub(begun.elapsed())));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_change_of_a_step_is_printed_once() {
        let mut shown = Shown::default();
        let mut out = Vec::new();
        let step = |status: &str, attempts: i64, error: Option<&str>| {
            json!({"kind": "provision", "id": "1", "status": "running", "reason": error, "steps": [
                {"name": "create_database", "status": status, "attempts": attempts, "error": error},
                {"name": "activate", "status": "pending", "attempts": 0, "error": null},
            ]})
        };
        let states = [
            step("running", 1, None),
            step("running", 1, None),
            step("running", 2, Some("down")),
            step("succeeded", 2, None),
        ];
        for state in states {
            shown.update(&state, &mut out).unwrap();
        }
        let expected = "provision 1: running\n  create_database running\n  create_database running (attempt 2): down\n  down\n  \
                        create_database succeeded (attempt 2)\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
