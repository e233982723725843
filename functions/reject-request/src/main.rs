//! The Lambda function `reject-request`.

use reject_request::routes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(|| Ok(()), |()| routes()).await
}
