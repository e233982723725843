//! A bare function with everything linked that `get-tenant` links.

use get_tenant::{App, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    floor::instead_of(async || shared::http::serve(App::from_env, routes).await).await
}
