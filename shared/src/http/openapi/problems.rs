//! The error responses of an operation. Most follow from its parameters, its body and its security, such as an invalid body or a
//! missing token. A function describes only its own: not found, conflict, too many requests.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use utoipa::openapi::{
    AllOfBuilder, Content, ContentBuilder, Header, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type,
    example::ExampleBuilder,
    path::{Operation, Parameter, ParameterIn},
    schema::Schema,
};

use crate::http::{openapi::causes::Cause, problem_types::ProblemType};

const MEDIA_TYPE: &str = "application/problem+json";

/// Responses that several operations share, by name.
pub(super) type Shared = BTreeMap<String, RefOr<Response>>;

/// Adds the implied error responses to an operation.
pub(super) fn complete(operation: &mut Operation, shared: &mut Shared) {
    let mut causes = BTreeMap::<StatusCode, BTreeSet<Cause>>::new();
    let mut add = |cause: Cause| causes.entry(cause.problem().status).or_default().insert(cause);
    for cause in implied(operation).into_iter().chain(declared_conflicts(operation)) {
        add(cause);
    }
    let own = operation.responses.responses.keys().filter_map(|status| status.parse::<StatusCode>().ok());
    own.filter(|status| !status.is_success()).filter_map(Cause::of_status).for_each(|cause| {
        // Invalid parameters are implied by the parameters.
        if !matches!(cause, Cause::InvalidParameter | Cause::InvalidBody) {
            add(cause);
        }
    });
    for (status, causes) in causes {
        let own = operation.responses.responses.remove(status.as_str());
        let response = match own {
            Some(RefOr::T(own)) => RefOr::T(own_response(own, status, &causes)),
            Some(reference) => reference,
            None => {
                let name = causes.iter().map(|cause| cause.name()).collect::<Vec<_>>().join("Or");
                shared.entry(name.clone()).or_insert_with(|| RefOr::T(response(description(&causes), status, &causes)));
                RefOr::Ref(Ref::from_response_name(name))
            }
        };
        operation.responses.responses.insert(status.as_str().to_owned(), response);
    }
}

/// The extension by which an operation declares the types of its conflicts: `extensions(("x-conflicts" = json!(["…"])))`.
/// The document does not contain it, because the schema of the response lists the types.
const CONFLICTS: &str = "x-conflicts";

fn declared_conflicts(operation: &mut Operation) -> Vec<Cause> {
    let declared = operation.extensions.as_mut().and_then(|extensions| extensions.remove(CONFLICTS));
    let names = declared.as_ref().and_then(|names| names.as_array()).into_iter().flatten();
    names.filter_map(|name| ProblemType::find(name.as_str()?)).map(Cause::Conflict).collect()
}

/// The causes that follow from an operation's parameters, body and security.
fn implied(operation: &Operation) -> Vec<Cause> {
    let parameters: Vec<&Parameter> = operation.parameters.iter().flatten().filter_map(not_a_reference).collect();
    let takes = |place: &ParameterIn| parameters.iter().any(|parameter| parameter.parameter_in == *place);
    let takes_header = |name: &str| parameters.iter().any(|parameter| parameter.name.eq_ignore_ascii_case(name));
    let needs_token = operation.security.iter().flatten().any(|one| serde_json::json!(one) != serde_json::json!({}));
    let has_a_body = operation.request_body.is_some();
    let mut causes = Vec::new();
    if needs_token {
        causes.extend([Cause::Unauthenticated, Cause::Forbidden, Cause::PasswordChangeRequired]);
    }
    if takes(&ParameterIn::Path) {
        causes.extend([Cause::InvalidId, Cause::NotFound]);
    }
    if takes(&ParameterIn::Query) || takes_header("idempotency-key") {
        causes.push(Cause::InvalidParameter);
    }
    if has_a_body {
        causes.extend([Cause::MalformedBody, Cause::BodyTooLarge, Cause::UnsupportedMediaType, Cause::InvalidBody]);
    }
    if takes_header("idempotency-key") {
        causes.extend([Cause::RequestInProgress, Cause::KeyReused]);
    }
    if takes_header("if-match") {
        causes.push(Cause::PreconditionFailed);
    }
    // Public operations without input return static content.
    if needs_token || has_a_body {
        causes.extend([Cause::Internal, Cause::Unavailable, Cause::DeadlineExceeded]);
    }
    causes
}

fn not_a_reference<T>(of: &RefOr<T>) -> Option<&T> {
    match of {
        RefOr::T(this) => Some(this),
        RefOr::Ref(_) => None,
    }
}

/// A response that the function describes: its own description, followed by those of the implied causes.
fn own_response(mut own: Response, status: StatusCode, causes: &BTreeSet<Cause>) -> Response {
    let others: BTreeSet<Cause> =
        causes.iter().copied().filter(|cause| Some(*cause) != Cause::of_status(status)).collect();
    if !own.description.ends_with('.') {
        own.description.push('.');
    }
    if !others.is_empty() {
        own.description = format!("{} Or: {}", own.description, description(&others));
    }
    let complete = response(String::new(), status, causes);
    own.headers.extend(complete.headers);
    own.content.extend(complete.content);
    own
}

fn description(causes: &BTreeSet<Cause>) -> String {
    causes.iter().map(|cause| cause.description()).collect::<Vec<_>>().join(" Or: ")
}

fn response(description: String, status: StatusCode, causes: &BTreeSet<Cause>) -> Response {
    let mut response = ResponseBuilder::new().description(description).content(MEDIA_TYPE, content(status, causes));
    for (name, value) in causes.iter().flat_map(|cause| cause.problem().headers) {
        let is_number = value.to_str().is_ok_and(|value| value.parse::<u64>().is_ok());
        let mut header =
            Header::new(ObjectBuilder::new().schema_type(if is_number { Type::Integer } else { Type::String }));
        header.description = header_description(name.as_str()).map(str::to_owned);
        header.example = value.to_str().ok().map(|text| match text.parse::<u64>() {
            Ok(number) => number.into(),
            Err(_) => text.into(),
        });
        response = response.header(name.as_str(), header);
    }
    response.build()
}

fn header_description(name: &str) -> Option<&'static str> {
    match name {
        "retry-after" => Some("Seconds after which another attempt may succeed"),
        "www-authenticate" => Some("The authentication scheme, RFC 6750"),
        _ => None,
    }
}

/// Problem details of only these kinds.
fn content(status: StatusCode, causes: &BTreeSet<Cause>) -> Content {
    let kinds: BTreeSet<String> = causes.iter().map(|cause| cause.problem().details.kind).collect();
    let narrowed = ObjectBuilder::new()
        .property("type", ObjectBuilder::new().schema_type(Type::String).enum_values(Some(kinds)))
        .property("status", ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([status.as_u16()])));
    let schema =
        AllOfBuilder::new().item(Ref::from_schema_name("ProblemDetails")).item(Schema::Object(narrowed.build()));
    let examples = causes.iter().filter(|cause| cause.is_the_same_everywhere()).map(|cause| {
        let mut details = cause.problem().details;
        details.instance = Some("urn:landlord:request:0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee".to_owned());
        let value = serde_json::to_value(details).ok();
        (cause.name(), ExampleBuilder::new().summary(cause.description()).value(value).build())
    });
    ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples).build()
}
