//! The Lambda function `get-session`.

use get_session::routes;
use shared::super_admins::AuthContext;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(AuthContext::from_env, routes).await
}
