//! Failed requests, shown to a person: the problem (RFC 9457), each error with its place, and what to do.

use serde_json::Value;

use crate::{
    client::Answer,
    document::Operation,
    error::{CliError, Exit},
    options::{OperationOption, Target, options},
    output::Format,
    text::{printable, shortened},
};

/// Members that are shown in lines of their own.
const SHOWN: [&str; 6] = ["type", "title", "status", "detail", "instance", "errors"];

const MAX_TEXT: usize = 300;

/// The error of a response that is no success. With JSON as the format, the problem itself is the message.
pub(crate) fn refusal(answer: &Answer, operation: Option<&Operation>, format: Format) -> CliError {
    let exit = if answer.status == 401 { Exit::NotSignedIn } else { Exit::Failed };
    let problem: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    let message = if format == Format::Json && problem.is_object() {
        problem.to_string()
    } else {
        lines(answer, &problem, operation).join("\n")
    };
    CliError::new(exit, message).transient(answer.is_transient())
}

fn lines(answer: &Answer, problem: &Value, operation: Option<&Operation>) -> Vec<String> {
    let text =
        |name: &str| problem[name].as_str().filter(|text| !text.is_empty()).map(|text| printable(text).into_owned());
    // The gateway answers with `{"message": …}`.
    let title = text("title").or_else(|| text("message")).unwrap_or_else(|| "The request failed".to_owned());
    let mut lines = vec![format!("error: {title} ({})", answer.status)];
    lines.extend(text("detail").map(|detail| format!("  {detail}")));
    for fault in problem["errors"].as_array().into_iter().flatten() {
        lines.push(format!("  {}", fault_line(fault, operation)));
    }
    for (name, value) in problem.as_object().into_iter().flatten() {
        if !SHOWN.contains(&name.as_str()) && name != "message" {
            let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            lines.push(format!("  {}: {}", printable(name), printable(&value)));
        }
    }
    if problem.is_null() && !answer.body.trim().is_empty() {
        lines.push(format!("  {}", printable(&shortened(answer.body.trim(), MAX_TEXT))));
    }
    if (300..400).contains(&answer.status) {
        let target = answer.header("location").unwrap_or("another address");
        lines.push(format!(
            "  The server redirects to {}. Redirects are not followed, because of the token.",
            printable(target)
        ));
    }
    if let Some(pause) = answer.retry_after() {
        lines.push(format!("  Try again after {} s", pause.as_secs()));
    }
    // A wrong password is no reason to sign in.
    if answer.status == 401 && operation.is_none_or(|operation| operation.needs_token) {
        lines.push("  Sign in: landlord login".to_owned());
    }
    if problem["type"].as_str().is_some_and(|name| name.ends_with("/password-change-required")) {
        lines.push("  Replace your password: landlord auth change-password".to_owned());
    }
    lines.extend(answer.header("x-request-id").map(|id| format!("  request {}", printable(id))));
    lines
}

/// `/limits/max_agents (--limits.max-agents): must be at least 0`
fn fault_line(fault: &Value, operation: Option<&Operation>) -> String {
    let text = |name: &str| fault[name].as_str().map(|text| printable(text).into_owned());
    let detail = text("detail").or_else(|| text("code")).unwrap_or_default();
    let options = operation.map(options).unwrap_or_default();
    let option = |matches: &dyn Fn(&OperationOption<'_>) -> bool| {
        let found = options.iter().find(|option| !option.positional && matches(option));
        found.map(|option| format!(" (--{})", option.name)).unwrap_or_default()
    };
    match (text("pointer"), text("parameter")) {
        (Some(pointer), _) => {
            let id = format!("body:{}", pointer.trim_start_matches('/').replace('/', "."));
            let option = option(&|option| matches!(option.target, Target::Field(_)) && option.id == id);
            let place = if pointer.is_empty() { "body" } else { &pointer };
            format!("{place}{option}: {detail}")
        }
        (None, Some(parameter)) => {
            let id = format!("parameter:{parameter}");
            let option = option(&|option| option.id.eq_ignore_ascii_case(&id));
            format!("{parameter}{option}: {detail}")
        }
        (None, None) => detail,
    }
}
