//! The floor that links what `get-tenant` links.

use get_tenant::routes;
use shared::super_admins::AuthContext;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    floor::respond_instead_of(async || shared::http::serve(AuthContext::from_env, routes).await).await
}
