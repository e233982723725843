//! The routes of a function, with their description.

use std::time::Duration;

use axum::{
    Router,
    extract::Request,
    handler::Handler,
    http::Uri,
    middleware::{Next, from_fn},
    response::IntoResponse,
    routing::{MethodRouter, on},
};
use utoipa::openapi::{OpenApi, path::HttpMethod};
use utoipa_axum::PathItemExt;

use crate::{
    error::Error,
    http::{Problem, openapi::operations},
};

/// The deadline of a response. It is shorter than the 30 s of API Gateway and than the timeout of the functions.
pub const DEADLINE: Duration = Duration::from_secs(8);

/// [`DEADLINE`], whatever the request.
pub fn default_deadline(_: &Uri) -> Duration {
    DEADLINE
}

/// Routes of one or several functions.
///
/// The description is built only on demand, because building it takes longer than the rest of a function's start.
pub struct Routes {
    router: Router,
    descriptions: Vec<Description>,
}

/// The description of a route, which is built on demand.
#[derive(Clone, Copy)]
struct Description {
    build: fn() -> OpenApi,
    /// Builds the description of the same route at its first address.
    first: Option<fn() -> OpenApi>,
}

impl Description {
    fn build(self) -> OpenApi {
        let mut described = (self.build)();
        if let Some(first) = self.first {
            repeat_responses(&mut described, &mut first());
        }
        described
    }
}

/// Copies the responses and the extensions of an operation to the same operation at another address.
fn repeat_responses(described: &mut OpenApi, first: &mut OpenApi) {
    let Some(first) = first.paths.paths.values_mut().flat_map(operations).next() else { return };
    for operation in described.paths.paths.values_mut().flat_map(operations) {
        operation.responses = first.responses.clone();
        let mut extensions = first.extensions.clone().unwrap_or_default();
        extensions.merge(operation.extensions.take().unwrap_or_default());
        operation.extensions = Some(extensions);
    }
}

impl Routes {
    /// The macro [`routes!`](crate::routes) creates the arguments from a handler. `deadline` is that of a response to a request
    /// for a URI.
    pub fn new(router: Router, deadline: fn(&Uri) -> Duration, describe: fn() -> OpenApi) -> Self {
        let in_time = from_fn(move |request: Request, next: Next| async move {
            let deadline = deadline(request.uri());
            let late = |_| Problem::from(Error::DeadlineExceeded).into_response();
            tokio::time::timeout(deadline, next.run(request)).await.unwrap_or_else(late)
        });
        Self { router: router.route_layer(in_time), descriptions: vec![Description { build: describe, first: None }] }
    }

    /// These routes together with others.
    #[must_use]
    pub fn merge(mut self, others: Self) -> Self {
        self.descriptions.extend(others.descriptions);
        Self { router: self.router.merge(others.router), descriptions: self.descriptions }
    }

    /// This route together with the same at another address, whose description needs no responses and no extensions of its own.
    #[must_use]
    pub fn also_at(self, mut other: Self) -> Self {
        let first = self.descriptions.first().map(|first| first.build);
        other.descriptions.iter_mut().for_each(|description| description.first = first);
        self.merge(other)
    }

    pub fn into_router(self) -> Router {
        self.router
    }

    /// The description of all routes in one document.
    pub fn describe(&self) -> OpenApi {
        let mut all = OpenApi::default();
        self.descriptions().for_each(|one| all.merge(one));
        all
    }

    /// The description of each route. In [`Self::describe`], two schemas with one name become one.
    pub fn descriptions(&self) -> impl Iterator<Item = OpenApi> {
        self.descriptions.iter().map(|description| description.build())
    }
}

/// A route with one handler for several methods.
pub fn on_methods<H, T, S>(methods: &[HttpMethod], handler: &H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    let each = methods.iter().map(|method| on(method.to_method_filter(), handler.clone()));
    each.fold(MethodRouter::new(), MethodRouter::merge)
}

/// The route of a function: `routes!(app: App => handler)`, where `utoipa::path` describes the handler. A route whose responses
/// have another deadline than [`DEADLINE`] names a function: `routes!(app: App => handler, deadline: deadline_of)`.
#[macro_export]
macro_rules! routes {
    ($app:ident: $state:ty => $handler:ident) => {
        $crate::routes!($app: $state => $handler, deadline: $crate::http::default_deadline)
    };
    ($app:ident: $state:ty => $handler:ident, deadline: $deadline:path) => {
        utoipa_axum::paste! {
            $crate::http::Routes::new(
                axum::Router::new()
                    .route(
                        &<[<__path_ $handler>] as utoipa::Path>::path(),
                        $crate::http::on_methods(&<[<__path_ $handler>] as utoipa::Path>::methods(), &$handler),
                    )
                    .with_state($app),
                $deadline,
                || {
                    let described = utoipa_axum::router::OpenApiRouter::<$state>::new();
                    $crate::http::with_required_role(
                        described.routes(utoipa_axum::routes!($handler)).into_openapi(),
                        $crate::http::required_role::<_, _, $state>(&$handler),
                    )
                },
            )
        }
    };
}
