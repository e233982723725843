//! The floor that links what `change-password` links.

use change_password::{App, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    floor::respond_instead_of(async || shared::http::serve(App::from_env, routes).await).await
}
