//! The routes of a function: what serves them, and what describes them.

use axum::{
    Router,
    handler::Handler,
    routing::{MethodRouter, on},
};
use utoipa::openapi::{OpenApi, path::HttpMethod};
use utoipa_axum::PathItemExt;

/// Routes of one function, or of several.
///
/// What describes them is called where the description is wanted and nowhere else: to make it takes longer than anything
/// else that a function does when it starts.
pub struct Routes {
    router: Router,
    describe: Vec<fn() -> OpenApi>,
}

impl Routes {
    /// Of what serves and what describes them; the macro [`routes!`](crate::routes) makes both of a handler.
    pub fn new(router: Router, describe: fn() -> OpenApi) -> Self {
        Self { router, describe: vec![describe] }
    }

    /// These and others.
    #[must_use]
    pub fn merge(mut self, others: Self) -> Self {
        self.describe.extend(others.describe);
        Self { router: self.router.merge(others.router), describe: self.describe }
    }

    /// What serves them.
    pub fn into_router(self) -> Router {
        self.router
    }

    /// What describes them.
    pub fn describe(&self) -> OpenApi {
        let mut all = OpenApi::default();
        self.descriptions().for_each(|one| all.merge(one));
        all
    }

    /// What describes each of them, before they are made one. Of two schemas that have one name, only one is left then.
    pub fn descriptions(&self) -> impl Iterator<Item = OpenApi> {
        self.describe.iter().map(|describe| describe())
    }
}

/// A route that takes `methods`.
pub fn on_methods<H, T, S>(methods: &[HttpMethod], handler: &H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    let each = methods.iter().map(|method| on(method.to_method_filter(), handler.clone()));
    each.fold(MethodRouter::new(), MethodRouter::merge)
}

/// The one route of a function: `routes!(app: App => handler)`, of a handler that `utoipa::path` describes.
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
