//! `GET /api/super-admin/operations/{id}`: get one operation, at once or as soon as it changes.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRef, State},
    http::Uri,
};
use shared::{
    clients::redis::Redis,
    config::{ConfigError, FromEnv, RedisConfig, WaitingConfig},
    http::{DEADLINE, IdPath, IfNoneMatch, Polled, Query, Result, Routes, uri_query},
    operations::{self, Operation, WaitSeconds, WaitSlots},
    query_parameters, routes,
    super_admins::{AuthContext, MayRead},
    types::OperationId,
};

/// When a client that does not wait should ask again.
const POLLING_INTERVAL: Duration = Duration::from_secs(2);

/// When a client should ask again that wanted to wait and could not.
const BUSY_INTERVAL: Duration = Duration::from_secs(5);

/// The stores and settings of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub slots: Arc<WaitSlots>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        let redis = Redis::connect(&RedisConfig::from_env()?)?;
        let max_waiting = WaitingConfig::from_env()?.max_waiting();
        Ok(Self { auth: AuthContext::from_env()?, slots: Arc::new(WaitSlots::new(redis, max_waiting)) })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => get_operation, deadline: deadline)
}

/// A response takes as long as the client wants to wait, and as any other.
fn deadline(uri: &Uri) -> Duration {
    DEADLINE
        + uri_query::<WaitParameters>(uri).ok().and_then(|parameters| parameters.wait).unwrap_or_default().duration()
}

query_parameters! {
    #[derive(Debug, Clone, Copy)]
    struct WaitParameters {
        /// How many seconds the response may wait for a change
        wait: Option<WaitSeconds>,
    }
}

/// Get an operation
///
/// Returns the operation with the status of every step.
///
/// With `wait`, the response is sent as soon as the operation changes (its status, its attempts or a step), at the latest after
/// that many seconds. A change is any difference from the entity tag in `If-None-Match`; without that header, from the state at
/// the beginning of the request. An operation that has ended is returned at once.
///
/// To follow an operation, repeat the request with `wait` and with the entity tag of the previous response in
/// `If-None-Match`, after the seconds in `Retry-After`, until a response has no `Retry-After`: then the operation has ended. No
/// change is missed between two requests. If too many clients wait, the response is sent at once, with a longer
/// `Retry-After`.
#[utoipa::path(
    get,
    path = "/api/super-admin/operations/{id}",
    params(IdPath<OperationId>, WaitParameters, IfNoneMatch),
    responses(
        (status = 200, description = "The operation with its steps", body = Operation, headers(
            ("etag" = String, description = "The revision, for If-None-Match"),
            ("retry-after" = i64, description = "Seconds after which to repeat the request; absent if the operation has ended"),
            ("ratelimit" = String, description = "How many further requests may wait"),
        )),
        (status = 304, description = "The operation still has the entity tag in If-None-Match", headers(
            ("etag" = String, description = "The revision, for If-None-Match"),
            ("retry-after" = i64, description = "Seconds after which to repeat the request; absent if the operation has ended"),
        )),
        (status = 404, description = "No such operation"),
    ),
    security(("bearer" = []))
)]
async fn get_operation(
    reader: MayRead,
    IdPath(id): IdPath<OperationId>,
    Query(WaitParameters { wait }): Query<WaitParameters>,
    if_none_match: IfNoneMatch,
    State(app): State<App>,
) -> Result<Polled<Operation>> {
    let mut operation = reader.admit(operations::store::find(reader.client(), id)).await?;
    // A request that waits holds no connection.
    drop(reader);
    let is_new = if_none_match.is_given() && !if_none_match.has_revision(operation.revision);
    let wait = wait.unwrap_or_default().duration();
    let mut retry_after = POLLING_INTERVAL;
    if !(wait.is_zero() || is_new || operation.has_ended()) {
        retry_after = match app.slots.take(wait).await {
            Some(slot) => {
                let waited = operations::wait_for_change(&app.auth.platform, operation, wait).await;
                app.slots.free(slot).await;
                operation = waited?;
                Duration::ZERO
            }
            None => BUSY_INTERVAL,
        };
    }
    let retry_after = (!operation.has_ended()).then_some(retry_after);
    Ok(Polled { revision: operation.revision, body: operation, if_none_match, retry_after })
}
