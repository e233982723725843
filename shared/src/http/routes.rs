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

use crate::{error::Error, http::Problem};

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
    describe: Vec<fn() -> OpenApi>,
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
        Self { router: router.route_layer(in_time), describe: vec![describe] }
    }

    /// These routes together with others.
    #[must_use]
    pub fn merge(mut self, others: Self) -> Self {
        self.describe.extend(others.describe);
        Self { router: self.router.merge(others.router), describe: self.describe }
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
        self.describe.iter().map(|describe| describe())
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
