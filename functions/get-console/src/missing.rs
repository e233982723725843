//! The page of a function that was built without the console.

use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};

/// It needs neither styles nor scripts, which the policy would refuse.
pub(crate) const PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The console is not built · Landlord</title>
<h1>The console is not built</h1>
<p>This function was compiled without the files of the console. To build them and the function:</p>
<pre>cargo dev console
cargo dev up --detach</pre>
<p>functions/get-console/README.md describes how the console is built. The API works without it: <a
href="/api/super-admin/docs">reference</a>.</p>
</html>
"#;

pub(crate) fn page() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Html(PAGE)).into_response()
}
