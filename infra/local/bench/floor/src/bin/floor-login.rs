//! The floor that links what `login` links.

use login::{App, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    floor::respond_instead_of(async || shared::http::serve(App::from_env, routes).await).await
}
