//! The description of the API in OpenAPI 3.1: the descriptions of the functions' routes, together with everything that applies
//! to all of them.

mod areas;
mod bodies;
mod causes;
mod examples;
mod inline;
mod limits;
mod parameters;
mod problems;

use std::fmt::Write;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Header, Info, ObjectBuilder, OpenApi, RefOr, Response, Schema, SecurityRequirement, Server, Type,
        info::{ContactBuilder, InfoBuilder, LicenseBuilder},
        path::{Operation, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

pub use crate::http::openapi::bodies::exactly_one;
pub use crate::http::openapi::parameters::{Counting, Paging, named, query_parameter, single_line_text};
use crate::http::{ProblemDetails, problem_types, required_role::EXTENSION};
use crate::types::{Country, ExportId, ImpersonationId, OperationId, ReconciliationId, SuperAdminId, TenantId, UserId};

/// A header of every response.
const REQUEST_ID: &str = "x-request-id";

/// Completes the merged descriptions of all functions. The result is deterministic.
pub fn document(mut api: OpenApi) -> OpenApi {
    let mut shared = problems::Shared::new();
    let mut used = Vec::new();
    for (path, item) in &mut api.paths.paths {
        let section = areas::of_path(path);
        used.extend(section);
        for operation in operations(item) {
            operation.tags = section.map(|name| vec![name.to_owned()]);
            parameters::allow_empty_values(operation);
            describe_required_role(operation);
            problems::complete(operation, &mut shared);
            limits::complete(operation);
            operation.responses.responses.values_mut().for_each(refer_to_headers);
        }
    }
    shared.values_mut().for_each(refer_to_headers);
    if api.webhooks.is_some() {
        used.push(areas::EVENTS);
    }

    api.info = info();
    api.servers = Some(vec![Server::new("/")]);
    api.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
    api.tags = Some(areas::tags(|name| used.contains(&name)));
    let components = api.components.get_or_insert_default();
    components.responses.extend(shared);
    components.responses.extend([limits::gateway_response()]);
    components.schemas.extend(schemas().into_iter().chain(limits::schemas()));
    components.headers.insert(REQUEST_ID.to_owned(), RefOr::T(request_id()));
    components.headers.extend(limits::headers());
    components.security_schemes.insert("bearer".to_owned(), RefOr::T(bearer()));
    components.schemas.values_mut().for_each(tidy_description);
    inline::write_out(&mut api);
    bodies::close(&mut api);
    examples::give(&mut api);
    api
}

/// The schemas in parameters and problems.
fn schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![
        (SuperAdminId::name().into_owned(), SuperAdminId::schema()),
        (UserId::name().into_owned(), UserId::schema()),
        (Country::name().into_owned(), Country::schema()),
        (ExportId::name().into_owned(), ExportId::schema()),
        (ImpersonationId::name().into_owned(), ImpersonationId::schema()),
        (OperationId::name().into_owned(), OperationId::schema()),
        (ReconciliationId::name().into_owned(), ReconciliationId::schema()),
        (TenantId::name().into_owned(), TenantId::schema()),
        (ProblemDetails::name().into_owned(), ProblemDetails::schema()),
    ];
    ProblemDetails::schemas(&mut schemas);
    schemas
}

/// The description of an enumeration is composed of comments, each of which begins with a space.
fn tidy_description(schema: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::Object(object)) = schema
        && let Some(description) = &mut object.description
    {
        let lines = description.trim().lines().map(|line| line.strip_prefix(' ').unwrap_or(line));
        *description = lines.collect::<Vec<_>>().join("\n");
    }
}

pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let each = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
    each.into_iter().filter_map(Option::as_mut)
}

/// Repeats the extension about the role in words.
fn describe_required_role(operation: &mut Operation) {
    let role = operation.extensions.as_ref().and_then(|extensions| extensions.get(EXTENSION)?.as_str());
    let sentence = match role {
        None => return,
        Some("none") => "Requires no token.".to_owned(),
        Some("owner") => "Requires the role `owner`.".to_owned(),
        Some(role) => format!("Requires the role `{role}` or higher."),
    };
    let description = operation.description.get_or_insert_default();
    if !description.is_empty() {
        description.push_str("\n\n");
    }
    description.push_str(&sentence);
}

/// Adds the headers of every response.
fn refer_to_headers(response: &mut RefOr<Response>) {
    for header in [limits::POLICY, REQUEST_ID] {
        limits::refer_to(response, header);
    }
}

fn request_id() -> Header {
    let mut header =
        Header::new(ObjectBuilder::new().schema_type(Type::String).min_length(Some(8)).max_length(Some(64)));
    header.description = Some(
        "Identifies the request in the log, in the audit log and in the `instance` of a problem. The client's own \
         `x-request-id`, if the request has one of 8 to 64 letters, digits, `-`, `_` and `=`, is recorded beside it"
            .to_owned(),
    );
    header.example = Some("0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee".into());
    header
}

fn bearer() -> SecurityScheme {
    let description =
        "A super-admin's token, from `POST /api/super-admin/auth/login` or from the platform's identity provider.";
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(description));
    SecurityScheme::Http(scheme.build())
}

fn info() -> Info {
    let license = LicenseBuilder::new().name("Apache License 2.0").identifier(Some("Apache-2.0")).build();
    InfoBuilder::new()
        .title("Landlord: super-admin API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(format!("{CONVENTIONS}\n\n**Types of problems**\n\n{}", kinds_of_problems())))
        .license(Some(license))
        .contact(Some(ContactBuilder::new().name(Some("The maintainers of Landlord")).build()))
        .build()
}

/// The conventions of all operations.
const CONVENTIONS: &str = "\
The control plane of a multi-tenant messaging platform, for its super-admins.

Bodies are JSON in UTF-8 with `snake_case` fields. Timestamps are RFC 3339 in UTC. Ids are UUIDs. A request with unknown fields or \
parameters is refused; the response lists all errors of the request.

**Roles.** A super-admin is a `viewer`, an `operator` or an `owner`; each of these roles includes those before it. Every operation \
states the lowest role that it requires, also as `x-required-role` (`none` if it requires no token).

**Absent and null.** A response always has every field of its schema, and `null` means that there is no value. Only the fields \
that `include` adds are absent without it, and the optional members of a problem (RFC 9457), of the reports on health and of \
events. In a patch, an absent field stays as it is; `null` is accepted only where it is a value, such as an unlimited limit.

**States.** What is in use is `active`. A tenant that is closed to its users is `suspended`, a user who may not sign in is \
`deactivated`, and a super-admin who may not use the API is `disabled`; each of them can be made `active` again. What is over \
cannot come back: an impersonation has *ended* (`live` is `false`, and `end_reason` contains why), an operation has `succeeded` or \
`failed`.

**Lists** are plain arrays, newest first by default; `sort` names the other orders. Where several values of a filter are \
possible, they are separated by commas, at most ten: `status=active,suspended`; a repeated parameter means the same. A range of \
times includes its beginning (`created_since`) and excludes its end (`created_until`). A page has at most `limit` items, and \
ends before its JSON exceeds 4 MB. The header `Link: <…>; rel=\"next\"` (RFC 8288) contains the URL of the next page, and is \
absent on the last one. With `count=true`, the header `x-total-count` contains the number of items on all pages, counted up to \
10000; `x-total-count-relation` is `eq` if it is exact, and `gte` if there are more.

**Operations.** A response to a request that starts work in the background has the field `operation_id` and the header \
`Operation-Location`. `GET /operations/{id}?wait=20` responds as soon as the operation changes, and after 20 seconds otherwise.

**Changes.** A single resource is returned with a strong `ETag`; `If-Match` makes a change conditional on it. A `POST` with an \
`Idempotency-Key` can be repeated within 24 hours and is processed only once: the repeated request gets the first response, with \
`Idempotent-Replayed: true`.

**Problems** are returned as `application/problem+json` (RFC 9457). Their `type` is a URL of this API that describes the problem \
and what to do, and each item of `errors` has a `code`, so that a client need not read the texts. In addition to the problems of \
each operation, an unknown path is 404, and an unsupported method is 405 with `Allow`.

**Limits.** Signing in, refreshing a session, changing a password and starting impersonations are limited; `RateLimit` contains what is left, and a \
refused request is 429 with `Retry-After`. In front of the API, the gateway limits the requests per second of all callers \
together, which `RateLimit-Policy` states as `gateway`. Its limit is a target and not a guarantee, and its own responses have the \
body `{\"message\": \"Too Many Requests\"}` instead of a problem. The body of a request has at most 64 KiB.

**Versions and deprecation.** The paths contain no version: the API is extended, and what a client relies on stays. These may be \
added at any time: operations, optional parameters and fields of requests, fields of responses and events, headers, values of \
enumerations in responses and events, types of problems and of events. A client must therefore ignore fields that it does not \
know, and handle an unknown value as it handles an unknown problem. Everything else is a breaking change, such as removing or \
renaming something, narrowing what is accepted, a new required field of a request, another meaning or another type of a problem for \
the same cause; the texts for people may change. Before a breaking change, what replaces the old form is added. Then the old form \
is marked `deprecated` in this document, and its responses contain the headers `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and a \
`Link` with `rel=\"deprecation\"`; it works for at least six months after that.";

/// A table of the types of problems.
fn kinds_of_problems() -> String {
    let mut table = "| `type` | status | meaning |\n| --- | --- | --- |\n".to_owned();
    for kind in problem_types::ALL {
        let statuses: Vec<_> = kind.statuses.iter().map(u16::to_string).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| [`{}`]({}) | {} | {} |", kind.name, kind.url(), statuses.join(", "), kind.meaning);
    }
    table
}
