//! The Lambda function `get-problem-type`.

use get_problem_type::routes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(|| Ok(()), |()| routes()).await
}
