//! Runs routes as a Lambda function.

use futures::{FutureExt, future::try_join_all};
use lambda_http::{Adapter, LambdaEvent, Service, lambda_runtime, request::LambdaRequest, service_fn};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    config::{ConfigError, FromEnv, HttpConfig, local_concurrency},
    error,
    http::{Routes, finish_with},
    worker::{self, Invocation, Worker},
};

/// Runs the routes of a function until Lambda ends the process. `app` reads the configuration; if it fails, the function logs
/// the reason and ends, and Lambda reports a failed start.
pub async fn serve<A>(
    app: impl FnOnce() -> Result<A, ConfigError>,
    routes: impl FnOnce(A) -> Routes,
) -> Result<(), lambda_http::Error> {
    let (app, config) = worker::start(|| Ok((app()?, HttpConfig::from_env()?))).await?;
    lambda_http::run(finish_with(routes(app), config)).await
}

/// As [`serve`], for a function whose requests wait. Lambda sends a sandbox one request at a time. A local process, which is the
/// only one of its function, processes `LOCAL_CONCURRENCY` requests at the same time, so that requests that wait do not
/// delay the others.
pub async fn serve_concurrently<A>(
    app: impl FnOnce() -> Result<A, ConfigError>,
    routes: impl FnOnce(A) -> Routes,
) -> Result<(), lambda_http::Error> {
    let (app, config, concurrency) =
        worker::start(|| Ok((app()?, HttpConfig::from_env()?, local_concurrency()?))).await?;
    let service = finish_with(routes(app), config);
    // The runtime's own setting for this, `AWS_LAMBDA_MAX_CONCURRENCY`, is overwritten by `cargo lambda watch`.
    try_join_all((0..concurrency).map(|_| lambda_http::run(service.clone()))).await?;
    Ok(())
}

/// As [`serve`], for a function that a schedule invokes too. Events that are no requests of the HTTP API go to `scheduled`; its
/// result is that of the invocation.
pub async fn serve_scheduled<A: Clone + Worker, T: Serialize>(
    app: impl FnOnce() -> Result<A, ConfigError>,
    routes: impl FnOnce(A) -> Routes,
    scheduled: impl AsyncFn(&A, Invocation) -> error::Result<T>,
) -> Result<(), lambda_http::Error> {
    let (app, config) = worker::start(|| Ok((app()?, HttpConfig::from_env()?))).await?;
    let requests = Adapter::from(finish_with(routes(app.clone()), config));
    let (app, scheduled) = (&app, &scheduled);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let mut requests = requests.clone();
        async move {
            let LambdaEvent { payload, context } = event;
            let answer = if is_request(&payload) {
                let request: LambdaRequest = serde_json::from_str(payload.get())?;
                to_raw_value(&requests.call(LambdaEvent::new(request, context)).await?)
            } else {
                let event = LambdaEvent::new(serde_json::from_str(payload.get())?, context);
                to_raw_value(&worker::invoke(app, scheduled, event).await?)
            };
            Ok::<_, lambda_http::Error>(answer?)
        }
        .boxed_local()
    }))
    .await
}

/// Whether an event is a request of API Gateway (payload format 2.0).
fn is_request(event: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct RequestEvent {
        #[serde(rename = "requestContext")]
        _request_context: IgnoredAny,
    }
    serde_json::from_str::<RequestEvent>(event.get()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_distinguished_from_an_event_of_a_schedule() {
        let event = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        assert!(is_request(&event(r#"{"version":"2.0","requestContext":{"http":{"method":"GET"}},"rawPath":"/"}"#)));
        assert!(!is_request(&event(r#"{"version":"0","source":"aws.scheduler","detail":"{}"}"#)));
        assert!(!is_request(&event("null")));
    }
}
