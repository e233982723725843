//! The routes of a function, with their description.

use axum::{
    Router,
    handler::Handler,
    routing::{MethodRouter, on},
};
use utoipa::openapi::{OpenApi, path::HttpMethod};
use utoipa_axum::PathItemExt;

/// Routes of one or several functions.
///
/// The description is built only on demand, because building it takes longer than the rest of a function's start.
pub struct Routes {
    router: Router,
    describe: Vec<fn() -> OpenApi>,
}

impl Routes {
    /// The macro [`routes!`](crate::routes) creates both arguments from a handler.
    pub fn new(router: Router, describe: fn() -> OpenApi) -> Self {
        Self { router, describe: vec![describe] }
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

/// The route of a function: `routes!(app: App => handler)`, where `utoipa::path` describes the handler.
#[macro_export]
macro_rules! routes {
    ($app:ident: $state:ty => $handler:ident) => {
        utoipa_axum::paste! {
            $crate::http::Routes::new(
                axum::Router::new()
                    .route(
                        &<[<__path_ $handler>] as utoipa::Path>::path(),
                        $crate::http::on_methods(&<[<__path_ $handler>] as utoipa::Path>::methods(), &$handler),
                    )
                    .with_state($app),
                || {
                    let described = utoipa_axum::router::OpenApiRouter::<$state>::new();
                    described.routes(utoipa_axum::routes!($handler)).into_openapi()
                },
            )
        }
    };
}
