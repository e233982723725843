//! HTTP plumbing of all endpoints: validating extractors, JSON responses, errors as problem details (RFC 9457), paging by
//! cursor, idempotency keys, entity tags, the description of the API, and [`serve`], which runs a router as a Lambda function.

mod availability;
mod body;
mod envelope;
mod etag;
mod fixed;
mod idempotency;
mod limits;
mod list;
mod openapi;
mod page;
mod path;
mod polled;
mod problem;
pub mod problem_types;
mod query;
mod request;
mod required_role;
mod response;
mod routes;
mod serve;
mod started;
mod unchanged;

pub use availability::availability;
pub use body::{BodyErrors, Field, JsonBody};
pub use envelope::{finish, finish_with};
pub use etag::{IfMatch, IfNoneMatch, etag};
pub use fixed::{Compressed, Fixed};
pub use idempotency::{Fingerprints, IdempotencyKey, IdempotentRequest, IdempotentResponse};
pub use limits::LimitsBody;
pub use list::{ListParameters, ListRequest, add_count};
pub use openapi::{Counting, Paging, document, exactly_one, named, query_parameter, single_line_text};
pub use page::Page;
pub use path::{IdPath, TenantExportPath, TenantPath, TenantUserPath};
pub use polled::Polled;
pub use problem::{InputFault, Problem, ProblemDetails, ProblemMembers};
pub use query::{Query, QueryField, QueryParameters, QueryReader, Required, uri_query, with_example};
pub use request::RequestInfo;
pub use required_role::{HandlerArgument, HandlerArguments, required_role, with_required_role};
pub use response::{Created, Json, JsonResponse, Replayable, Tagged};
pub use routes::{DEADLINE, Routes, default_deadline, on_methods};
pub use serve::{serve, serve_concurrently, serve_scheduled};
pub use started::{Accepted, Started, WithOperation};
pub use unchanged::json_unless_known;

/// The base path of every endpoint.
pub const BASE_PATH: &str = "/api/super-admin";

/// The result of a handler.
pub type Result<T, E = Problem> = std::result::Result<T, E>;
