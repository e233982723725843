//! Runs the command that was chosen.

use std::io::{self, Write};

use clap::ArgMatches;
use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    command_line, curl,
    document::{Document, Operation},
    error::{CliError, Exit, Result},
    follow,
    output::{self, ListPrinter, Style, print_value},
    pages::{Pages, items},
    problem,
    request::{self, ApiRequest, Secrets},
    session::{Session, flag, number, seconds},
    sign_in, wait,
};

pub(crate) fn run(document: &Document, matches: &ArgMatches) -> Result<Exit> {
    let (mut words, mut matches) = (Vec::new(), matches);
    while let Some((word, inner)) = matches.subcommand() {
        words.push(word.to_owned());
        matches = inner;
    }
    if let Some(operation) = document.operations.iter().find(|operation| operation.words == words) {
        return OperationRun::new(document, operation, matches)?.run();
    }
    match words.first().map(String::as_str) {
        Some("login") => sign_in::login(document, matches),
        Some("logout") => sign_in::logout(matches),
        Some("profiles") => sign_in::profiles(matches),
        Some("commands") => commands(document, matches),
        Some("completion") => Ok(completion(document, matches)),
        _ => Err(CliError::usage("error: unknown command")),
    }
}

/// Lists the commands, with the requests that they send.
fn commands(document: &Document, matches: &ArgMatches) -> Result<Exit> {
    let style = Style::of(matches)?;
    let row = |operation: &Operation| {
        let words = operation.words.join(" ");
        json!({"command": words, "method": operation.method, "path": operation.path, "operation": operation.id})
    };
    let rows: Vec<Value> = document.operations.iter().map(row).collect();
    let mut list = ListPrinter::new(io::stdout().lock(), &style, &[]);
    list.print_values(&rows)?;
    list.end()?;
    Ok(Exit::Success)
}

fn completion(document: &Document, matches: &ArgMatches) -> Exit {
    if let Some(shell) = matches.get_one::<clap_complete::Shell>("shell") {
        clap_complete::generate(*shell, &mut command_line::build(document), "landlord", &mut io::stdout());
    }
    Exit::Success
}

/// One operation with its command line.
struct OperationRun<'a> {
    document: &'a Document,
    operation: &'a Operation,
    matches: &'a ArgMatches,
    style: Style,
    session: Session,
}

impl<'a> OperationRun<'a> {
    fn new(document: &'a Document, operation: &'a Operation, matches: &'a ArgMatches) -> Result<Self> {
        Ok(Self { document, operation, matches, style: Style::of(matches)?, session: Session::of(matches)? })
    }

    fn run(mut self) -> Result<Exit> {
        let (operation, matches) = (self.operation, self.matches);
        let limit = number(matches, "limit");
        if flag(matches, "curl") {
            let mut request = request::read(operation, matches, Secrets::Hide)?;
            if let Some(limit) = limit.filter(|_| operation.has_pages()) {
                request.set_query("limit", limit.to_string());
            }
            let sends_token = operation.needs_token || self.session.has_token()?;
            let command = curl::command(self.session.base()?, &request, sends_token, self.session.ca_file.as_deref());
            writeln!(io::stdout(), "{command}")?;
            return Ok(Exit::Success);
        }
        let client = self.session.client()?;
        if operation.needs_token && !client.has_token() {
            let address = client.base.as_str();
            let message = format!("error: not signed in to {address}. Sign in: landlord login --url {address}");
            return Err(CliError::new(Exit::NotSignedIn, message));
        }
        let request = request::read(operation, matches, Secrets::Read)?;
        let pause = seconds(matches, "interval");
        if flag(matches, "follow") {
            follow::follow(&client, operation, &self.style, &request, limit, pause)
        } else if flag(matches, "watch") {
            follow::watch(&client, operation, &self.style, &request, pause)
        } else if operation.response.is_list {
            self.list(&client, request, limit)
        } else {
            self.single(&client, &request)
        }
    }

    /// Prints a list, page by page.
    fn list(&self, client: &Client, request: ApiRequest, limit: Option<u64>) -> Result<Exit> {
        let mut list = ListPrinter::new(output::stdout(), &self.style, &self.operation.response.fields);
        let mut pages = Pages::new(client, self.operation, self.style.format, request);
        loop {
            let wanted = limit.map(|limit| limit.saturating_sub(list.printed()));
            if wanted == Some(0) {
                break;
            }
            let printed = list.printed();
            let incomplete = |error: CliError| match printed {
                0 => error,
                printed => error.and(&format!("The list is incomplete: it ends after {printed} items.")),
            };
            let Some(answer) = pages.next(wanted).map_err(incomplete)? else { break };
            if let (0, Some(count)) = (printed, answer.header("x-total-count")) {
                let at_least = if answer.header("x-total-count-relation") == Some("gte") { "at least " } else { "" };
                eprintln!("{at_least}{count} items");
            }
            let mut found = items(&answer)?;
            found.truncate(wanted.and_then(|wanted| usize::try_from(wanted).ok()).unwrap_or(usize::MAX));
            list.print(&found)?;
        }
        list.end()?;
        Ok(Exit::Success)
    }

    fn single(&mut self, client: &Client, request: &ApiRequest) -> Result<Exit> {
        let answer = client.send(request).map_err(|error| with_key(error, request))?;
        if answer.status == 304 {
            eprintln!("Not modified");
            return Ok(Exit::Success);
        }
        let Some(value) = follow::reported(self.operation, &answer) else {
            return if answer.is_success() { print_text(&answer) } else { Err(self.refused(&answer, request)) };
        };
        if flag(self.matches, "wait") {
            return self.wait(client, &answer, &value);
        }
        self.replace_token(&value)?;
        self.print(&value)?;
        Ok(if answer.is_success() { Exit::Success } else { Exit::Failed })
    }

    fn refused(&self, answer: &Answer, request: &ApiRequest) -> CliError {
        let error = problem::refusal(answer, Some(self.operation), self.style.format);
        let is_in_progress = answer.body.contains("/problems/request-in-progress");
        if answer.is_transient() || is_in_progress { with_key(error, request) } else { error }
    }

    /// A new token for the caller replaces the one of the profile, which is invalid now or expires earlier.
    fn replace_token(&mut self, value: &Value) -> Result<()> {
        let issues = self.operation.needs_token && self.operation.credentials().any(|name| name == "access_token");
        if issues && self.session.uses_profile_token()? {
            sign_in::store(&mut self.session, value, None)?;
            eprintln!("The new token is stored in the profile {}.", self.session.profile_name);
        }
        Ok(())
    }

    /// Prints a response, without its token unless that was asked for.
    fn print(&self, value: &Value) -> Result<()> {
        let mut shown = value.clone();
        let credentials: Vec<&str> = self.operation.credentials().collect();
        if let Some(members) = shown.as_object_mut().filter(|_| !flag(self.matches, "show-token")) {
            let hidden = credentials.iter().filter(|name| members.remove(**name).is_some()).count();
            if hidden > 0 {
                eprintln!("The token is not shown; --show-token prints it.");
            }
        }
        let is_hidden = |name: &String| credentials.contains(&name.as_str()) && shown.get(name).is_none();
        let fields = self.operation.response.fields.iter().filter(|field| !field.path.first().is_some_and(is_hidden));
        let fields: Vec<_> = fields.cloned().collect();
        let mut out = output::stdout();
        print_value(&mut out, &self.style, &fields, &shown)?;
        out.flush()?;
        Ok(())
    }

    /// Follows the operation, and prints what it was about: the tenant as it is then.
    fn wait(&self, client: &Client, answer: &Answer, value: &Value) -> Result<Exit> {
        let named = answer.header("operation-location").and_then(|path| path.rsplit('/').next());
        let id = named.or_else(|| value["operation_id"].as_str());
        let id = id.ok_or_else(|| CliError::failed("error: the response names no operation"))?;
        let limit = seconds(self.matches, "wait-timeout");
        let outcome = match wait::follow(client, self.document, id, limit, &mut io::stderr()) {
            Ok(outcome) => outcome,
            Err(error) => {
                // The request has succeeded, and its response contains the id.
                self.print(value)?;
                return Err(error);
            }
        };
        if outcome == wait::Outcome::TimedOut {
            eprintln!("The operation goes on: landlord operations get {id}");
        }
        let located = answer.header("location").filter(|path| path.starts_with('/'));
        let current = located.map(|path| client.send(&ApiRequest::get(path)));
        match current {
            Some(Ok(current)) if current.is_success() && current.is_json() => {
                self.print(&serde_json::from_str(&current.body).unwrap_or_else(|_| value.clone()))?;
            }
            _ => self.print(value)?,
        }
        Ok(match outcome {
            wait::Outcome::Succeeded => Exit::Success,
            wait::Outcome::Failed => Exit::OperationFailed,
            wait::Outcome::TimedOut => Exit::TimedOut,
        })
    }
}

/// Adds how the request is repeated without being processed twice.
fn with_key(error: CliError, request: &ApiRequest) -> CliError {
    match request.idempotency_key() {
        Some(key) => {
            error.and(&format!("The request may have been processed. Repeat it safely with --idempotency-key {key}"))
        }
        None => error,
    }
}

/// Prints a response that is not JSON, or has no body.
fn print_text(answer: &Answer) -> Result<Exit> {
    let mut out = io::stdout().lock();
    out.write_all(answer.body.as_bytes())?;
    if !answer.body.is_empty() && !answer.body.ends_with('\n') {
        writeln!(out)?;
    }
    Ok(Exit::Success)
}
