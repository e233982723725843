//! Bare functions, which are the floors of the functions' start: `lambda_http`, a constant response, and nothing else.
//!
//! The start of a process takes longer the more it links, even if the linked code never runs. So each floor links a whole
//! function, and runs it only when the process has an argument. Lambda starts processes without arguments; the compiler cannot
//! know that, so it keeps the function in the binary.

use std::env;

use lambda_http::{Body, Error, Request, Response, run, service_fn};

/// About as long as a tenant.
const BODY: &str = concat!(
    r#"{"id":"0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee","name":"Kopi Kenangan","slug":"kopi-kenangan","status":"active","#,
    r#""mongo_database":"tenant_0190a0c48f6e7c3a9d2b5e1f00c0ffee","schema_version":1,"country":"ID","#,
    r#""limits":{"max_agents":10,"max_contacts":10000,"max_messages_month":50000},"#,
    r#""created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}"#
);

/// Responds to every request with a constant.
pub async fn respond() -> Result<(), Error> {
    run(service_fn(async |_: Request| {
        Response::builder().header("content-type", "application/json").body(Body::from(BODY)).map_err(Error::from)
    }))
    .await
}

/// Responds to every request with a constant, or runs the function if the process has an argument.
pub async fn respond_instead_of(function: impl AsyncFnOnce() -> Result<(), Error>) -> Result<(), Error> {
    if env::args_os().nth(1).is_some() { function().await } else { respond().await }
}
