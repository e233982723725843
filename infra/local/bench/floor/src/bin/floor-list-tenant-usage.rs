//! The floor that links what `list-tenant-usage` links.

use list_tenant_usage::{App, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    floor::respond_instead_of(async || shared::http::serve(App::from_env, routes).await).await
}
