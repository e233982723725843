//! Running a router as a Lambda function.

use futures::FutureExt;
use lambda_http::{Adapter, LambdaEvent, Service, lambda_runtime, request::LambdaRequest, service_fn};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::value::{RawValue, to_raw_value};

use crate::http::{Routes, finish};
use crate::{
    config::ConfigError,
    error,
    worker::{self, Invocation, Worker},
};

/// Runs the routes of one function until Lambda ends the process. `app` reads the configuration; when it cannot, the
/// function ends with one clear line and Lambda reports a failed start.
pub async fn serve<A>(
    app: impl FnOnce() -> Result<A, ConfigError>,
    routes: impl FnOnce(A) -> Routes,
) -> Result<(), lambda_http::Error> {
    let app = worker::start(app)?;
    lambda_http::run(finish(routes(app))).await
}

/// As [`serve`], for a function that a schedule invokes too. Whatever is no request of the HTTP API goes to `scheduled`,
/// whose answer, or failure, is the invocation's.
pub async fn serve_scheduled<A: Clone + Worker, T: Serialize>(
    app: impl FnOnce() -> Result<A, ConfigError>,
    routes: impl FnOnce(A) -> Routes,
    scheduled: impl AsyncFn(&A, Invocation) -> error::Result<T>,
) -> Result<(), lambda_http::Error> {
    let app = worker::start(app)?;
    let requests = Adapter::from(finish(routes(app.clone())));
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

/// Whether an event is a request of API Gateway (payload 2.0).
fn is_request(event: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Glance {
        #[serde(rename = "requestContext")]
        _request_context: IgnoredAny,
    }
    serde_json::from_str::<Glance>(event.get()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_from_what_a_schedule_sends() {
        let event = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        assert!(is_request(&event(r#"{"version":"2.0","requestContext":{"http":{"method":"GET"}},"rawPath":"/"}"#)));
        assert!(!is_request(&event(r#"{"version":"0","source":"aws.scheduler","detail":"{}"}"#)));
        assert!(!is_request(&event("null")));
    }
}
