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
        info::{InfoBuilder, LicenseBuilder},
        path::{Operation, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

pub use crate::http::openapi::bodies::exactly_one;
pub use crate::http::openapi::parameters::{Counting, Paging, named, query_parameter, single_line_text};
use crate::http::{ProblemDetails, problem_types, required_role::EXTENSION};
use crate::types::{Country, ImpersonationId, OperationId, SuperAdminId, TenantId, UserId};

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
        (ImpersonationId::name().into_owned(), ImpersonationId::schema()),
        (OperationId::name().into_owned(), OperationId::schema()),
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
    *description = format!("{description}\n\n{sentence}").trim_start().to_owned();
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
        .description(Some(format!("{CONVENTIONS}\n\n{}", kinds_of_problems())))
        .license(Some(license))
        .build()
}

/// The conventions of all operations.
const CONVENTIONS: &str = "\
The control plane of a multi-tenant messaging platform, for its super-admins.

Bodies are JSON in UTF-8 with `snake_case` fields. Timestamps are RFC 3339 in UTC. Ids are UUIDs. Unknown fields and parameters \
are rejected, together with all other errors of the request at once.

**Absent and null.** A response always has every field of its schema, and `null` means that there is no value. Only the fields \
that `include` adds are absent without it, and the optional members of a problem (RFC 9457) and of the reports on health. In a \
request, an absent field of a patch stays as it is; `null` is accepted only where it is a value, such as an unlimited limit.

**Off states.** A tenant is `suspended`, a user is `deactivated`, and a super-admin is `disabled`. Each can be `active` again.

**Lists** are plain arrays, newest first by default; `sort` names the other orders. Where several values of a filter are possible, \
they are separated by commas, at most ten: `status=active,suspended`. Times end ranges exclusively: `created_since` is included \
and `created_until` is not. A page has at most `limit` items and ends before its JSON exceeds 5 MiB. The link to the next page is \
in `Link: <…>; rel=\"next\"` (RFC 8288). With `count=true`, the header `x-total-count` contains the number of items on all \
pages, counted up to 10000; `x-total-count-relation` is `eq` if it is exact, and `gte` if there are more.

**Operations.** A response to a request that starts work in the background has the field `operation_id` and the header \
`Operation-Location`. `GET /operations/{id}?wait=20` responds as soon as the operation changes.

**Changes.** A single resource is returned with a strong `ETag`; `If-Match` makes a change conditional on it. A `POST` with an \
`Idempotency-Key` can be repeated within 24 hours and is processed only once: the repeated request gets the first response, with \
`Idempotent-Replayed: true`.

**Problems** are returned as `application/problem+json` (RFC 9457). Their `type` is a URL of this API that describes the problem \
and what to do, and each item of `errors` has a `code`, so that a client need not read the texts. In addition to the problems of \
each operation, an unknown path is 404, and an unsupported method is 405 with `Allow`.

**Limits.** Signing in, changing a password and starting impersonations are limited; `RateLimit` contains what is left, and a \
refused request is 429 with `Retry-After`. In front of the API, the gateway limits the requests per second of all callers \
together, which `RateLimit-Policy` states as `gateway`. Its limit is a target and not a guarantee, and its own responses have the \
body `{\"message\": \"Too Many Requests\"}` instead of a problem. A body has at most 64 KiB.";

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
