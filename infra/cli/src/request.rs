//! The request that a command line describes.

use std::{
    fs,
    io::{self, IsTerminal, Read},
};

use clap::ArgMatches;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use crate::{
    document::{
        Operation, Place,
        schema::{Field, Kind, ValueType},
    },
    error::{CliError, Result},
    options::{OperationOption, Target, options},
};

/// What RFC 3986 leaves unreserved is not encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The API accepts at most 64 KiB.
const MAX_BODY: u64 = 64 << 10;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A request of an operation. Its body may contain passwords, so it has no `Debug`.
#[derive(Clone)]
pub(crate) struct ApiRequest {
    pub(crate) method: String,
    /// From the API's origin, encoded.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Value>,
    /// The places of passwords in the body.
    pub(crate) secrets: Vec<Vec<String>>,
}

impl ApiRequest {
    /// A request without parameters or a body.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        let (query, headers, secrets) = Default::default();
        Self { method: "GET".to_owned(), path: path.into(), query, headers, body: None, secrets }
    }

    /// Path and query.
    pub(crate) fn target(&self) -> String {
        let pair = |(name, value): &(String, String)| format!("{}={}", encode(name), encode(value));
        match self.query.as_slice() {
            [] => self.path.clone(),
            pairs => format!("{}?{}", self.path, pairs.iter().map(pair).collect::<Vec<_>>().join("&")),
        }
    }

    pub(crate) fn remove_query(&mut self, name: &str) {
        self.query.retain(|(found, _)| found != name);
    }

    pub(crate) fn set_query(&mut self, name: &str, value: String) {
        self.remove_query(name);
        self.query.push((name.to_owned(), value));
    }

    pub(crate) fn query_value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn idempotency_key(&self) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name == IDEMPOTENCY_KEY).map(|(_, value)| value.as_str())
    }
}

pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Where passwords come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// Files, the standard input, and the terminal.
    Read,
    /// Nowhere: the request is only shown.
    Hide,
}

/// Builds the request. Asks for required passwords that are missing, if there is a terminal.
pub(crate) fn read(operation: &Operation, matches: &ArgMatches, secrets: Secrets) -> Result<ApiRequest> {
    let mut request = ApiRequest::get(operation.path.clone());
    operation.method.clone_into(&mut request.method);
    let mut builder = BodyBuilder::new(operation, matches, secrets)?;
    for option in options(operation) {
        let values: Vec<&String> = matches.get_many::<String>(&option.id).into_iter().flatten().collect();
        match option.target {
            Target::Parameter(index) => {
                if !values.is_empty() {
                    let joined = values.into_iter().map(String::as_str).collect::<Vec<_>>().join(",");
                    set_parameter(&mut request, operation, index, &joined)?;
                }
            }
            Target::Field(index) => {
                if let Some(field) = operation.body.as_ref().and_then(|body| body.fields.get(index)) {
                    builder.add(&option, field, &values)?;
                }
            }
        }
    }
    if operation.parameter(Place::Header, IDEMPOTENCY_KEY).is_some() && request.idempotency_key().is_none() {
        request.headers.push((IDEMPOTENCY_KEY.to_owned(), Uuid::now_v7().to_string()));
    }
    request.secrets = std::mem::take(&mut builder.present);
    request.body = builder.finish();
    Ok(request)
}

fn set_parameter(request: &mut ApiRequest, operation: &Operation, index: usize, value: &str) -> Result<()> {
    let Some(parameter) = operation.parameters.get(index) else { return Ok(()) };
    let name = &parameter.name;
    match parameter.place {
        Place::Path if value.is_empty() => {
            return Err(CliError::usage(format!("error: {} must not be empty", name.to_uppercase())));
        }
        Place::Path => request.path = request.path.replace(&format!("{{{name}}}"), &encode(value)),
        Place::Query => request.query.push((name.clone(), value.to_owned())),
        Place::Header if name.ends_with("-match") => request.headers.push((name.clone(), entity_tag(value))),
        Place::Header => request.headers.push((name.clone(), value.to_owned())),
    }
    Ok(())
}

/// An entity tag as the header requires it. A shell removes the quotation marks that are part of it.
fn entity_tag(value: &str) -> String {
    let complete = value == "*" || value.contains('"');
    if complete { value.to_owned() } else { format!("\"{value}\"") }
}

/// Collects the body from `--body` and from the options.
struct BodyBuilder<'a> {
    operation: &'a Operation,
    secrets: Secrets,
    body: Option<Value>,
    present: Vec<Vec<String>>,
    /// The standard input can be read only once.
    input_used: bool,
}

impl<'a> BodyBuilder<'a> {
    fn new(operation: &'a Operation, matches: &ArgMatches, secrets: Secrets) -> Result<Self> {
        let mut builder = Self { operation, secrets, body: None, present: Vec::new(), input_used: false };
        let Some(described) = &operation.body else { return Ok(builder) };
        if let Some(source) = matches.get_one::<String>("body") {
            let inline = source.trim_start().starts_with(['{', '[']);
            let text = if inline { source.clone() } else { builder.file(source)?.expose_secret().to_owned() };
            let body: Value = serde_json::from_str(&text)
                .map_err(|error| CliError::usage(format!("error: --body is not JSON: {error}")))?;
            for field in described.fields.iter().filter(|field| field.value.secret) {
                if field.path.iter().try_fold(&body, |value, name| value.get(name)).is_some() {
                    if inline {
                        let message = format!(
                            "error: {} must not be in an argument, which other users of this computer can read. \
                             Give --body a file, or - for the standard input",
                            field.name()
                        );
                        return Err(CliError::usage(message));
                    }
                    builder.present.push(field.path.clone());
                }
            }
            builder.body = Some(body);
        }
        Ok(builder)
    }

    /// The contents of a file, or of the standard input.
    fn file(&mut self, path: &str) -> Result<SecretString> {
        let mut text = String::new();
        let read = if path == "-" {
            if std::mem::replace(&mut self.input_used, true) {
                return Err(CliError::usage("error: the standard input can be used for one option only"));
            }
            io::stdin().lock().take(MAX_BODY + 1).read_to_string(&mut text)
        } else {
            fs::File::open(path).and_then(|file| file.take(MAX_BODY + 1).read_to_string(&mut text))
        };
        let size = read.map_err(|error| CliError::failed(format!("error: {path} cannot be read: {error}")))?;
        if size as u64 > MAX_BODY {
            return Err(CliError::usage(format!("error: {path} is larger than 64 KiB, which the API does not accept")));
        }
        Ok(SecretString::from(text))
    }

    fn add(&mut self, option: &OperationOption<'_>, field: &Field, values: &[&String]) -> Result<()> {
        if field.value.secret {
            return self.add_secret(field, values.first().map(|value| value.as_str()));
        }
        let Some(last) = values.last() else { return Ok(()) };
        let value = match &field.value.kind {
            Kind::List(item) => {
                let item = ValueType { kind: (**item).clone(), ..field.value.clone() };
                values.iter().map(|text| parse(&option.name, &item, text)).collect::<Result<Value>>()?
            }
            _ => parse(&option.name, &field.value, last)?,
        };
        self.set(&field.path, value)
    }

    fn add_secret(&mut self, field: &Field, path: Option<&str>) -> Result<()> {
        if self.present.contains(&field.path) && path.is_none() {
            return Ok(());
        }
        let secret = match path {
            _ if self.secrets == Secrets::Hide => {
                if path.is_none() && !field.required {
                    return Ok(());
                }
                SecretString::default()
            }
            Some(path) => {
                let text = self.file(path)?;
                // The line break at the end of a file is not part of a password.
                let line = text.expose_secret();
                SecretString::from(line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line)))
            }
            None if field.required && !self.input_used && io::stdin().is_terminal() => ask(self.operation, field)?,
            None => return Ok(()),
        };
        if !self.present.contains(&field.path) {
            self.present.push(field.path.clone());
        }
        self.set(&field.path, Value::from(secret.expose_secret()))
    }

    fn set(&mut self, path: &[String], value: Value) -> Result<()> {
        let mut place = self.body.get_or_insert_with(|| Value::Object(Map::new()));
        for name in path {
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
            let Value::Object(members) = place else {
                return Err(CliError::usage(format!(
                    "error: --body has no object in which {} could be",
                    path.join(".")
                )));
            };
            place = members.entry(name).or_insert(Value::Null);
        }
        *place = value;
        Ok(())
    }

    fn finish(self) -> Option<Value> {
        let required = self.operation.body.as_ref().is_some_and(|body| body.required);
        // The API names every field that is missing.
        self.body.or_else(|| required.then(|| Value::Object(Map::new())))
    }
}

/// Asks for a password at the terminal, and for a new one twice.
fn ask(operation: &Operation, field: &Field) -> Result<SecretString> {
    let label = field.name().replace(['_', '.'], " ");
    let prompt = |text: String| {
        rpassword::prompt_password(text)
            .map_err(|error| CliError::failed(format!("error: the password cannot be read: {error}")))
    };
    let first = prompt(format!("{label}: "))?;
    let is_existing = field.path == ["current_password"] || operation.words == ["auth", "login"];
    if !is_existing && prompt(format!("{label} again: "))? != first {
        return Err(CliError::usage("error: the two passwords differ"));
    }
    Ok(SecretString::from(first))
}

/// The JSON value of a text.
fn parse(option: &str, expected: &ValueType, text: &str) -> Result<Value> {
    if expected.nullable && text == "null" {
        return Ok(Value::Null);
    }
    let or_null = if expected.nullable { " or null" } else { "" };
    let wrong = |kind: &str| CliError::usage(format!("error: --{option}: {text:?} is not {kind}{or_null}"));
    match &expected.kind {
        Kind::Text | Kind::List(_) => Ok(Value::from(text)),
        Kind::Integer => text.parse::<i64>().map(Value::from).map_err(|_| wrong("an integer")),
        Kind::Number => {
            let number = text.parse().ok().and_then(Number::from_f64);
            number.map(Value::from).ok_or_else(|| wrong("a number"))
        }
        Kind::Boolean => text.parse::<bool>().map(Value::from).map_err(|_| wrong("true or false")),
        Kind::Json => serde_json::from_str(text).map_err(|_| wrong("JSON")),
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
