//! The floor that links what `get-tenant` links.

use get_tenant::routes;
use shared::auth::Gate;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    floor::respond_instead_of(async || shared::http::serve(Gate::from_env, routes).await).await
}
