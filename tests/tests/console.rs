//! The console: the files as the function serves them, and the application in a browser on the local stack.

use std::{collections::BTreeSet, path::Path, process::Command};

use reqwest::{Method, StatusCode, header};
use shared::http::finish;
use tests::{Api, api::answer, optional_variable, variable};

/// What a person on a slow line waits for before the first page, in bytes, compressed with gzip.
const MAX_FIRST_LOAD: usize = 170_000;

async fn console() -> Api {
    let api = Api::serve(finish(get_console::routes(get_console::App::new(None)))).await;
    let page = answer(api.anonymous_root(Method::GET, "/console")).await;
    assert_eq!(page.status, StatusCode::OK, "the console is not built: cargo dev console");
    api
}

/// The files that a page names.
fn files(page: &str) -> BTreeSet<String> {
    let rest = page.split("\"/console/files/").skip(1);
    rest.map(|rest| format!("/console/files/{}", rest.split('"').next().unwrap())).collect()
}

#[tokio::test]
async fn the_first_load_is_small_and_its_files_are_never_asked_for_again() {
    let api = console().await;
    let page = answer(api.anonymous_root(Method::GET, "/console")).await.text;
    let files = files(&page);
    assert!(files.len() >= 3, "{page}");
    let mut total = 0;
    for path in files.iter().map(String::as_str).chain(["/console"]) {
        let request = api.anonymous_root(Method::GET, path);
        let response = request.header(header::ACCEPT_ENCODING, "gzip").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let headers = response.headers().clone();
        assert_eq!(headers[header::CONTENT_ENCODING], "gzip", "{path}");
        let cache = if path == "/console" { "public, no-cache" } else { "public, max-age=31536000, immutable" };
        assert_eq!(headers[header::CACHE_CONTROL], cache, "{path}");
        total += response.bytes().await.unwrap().len();
        let brotli = answer(api.anonymous_root(Method::GET, path).header(header::ACCEPT_ENCODING, "gzip, br")).await;
        assert_eq!(brotli.header("content-encoding"), "br", "{path}");
        let tag = headers[header::ETAG].to_str().unwrap();
        let again = answer(api.anonymous_root(Method::GET, path).header(header::IF_NONE_MATCH, tag)).await;
        assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""), "{path}");
    }
    println!("first load: {total} B in {} files, compressed with gzip", files.len() + 1);
    assert!(total <= MAX_FIRST_LOAD, "{total} B");
}

#[tokio::test]
async fn every_path_but_that_of_a_missing_file_is_the_page_with_a_strict_policy() {
    let api = console().await;
    let get = async |path: &str| answer(api.anonymous_root(Method::GET, path)).await;
    let page = get("/console").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let file = files(&page.text).into_iter().next().unwrap();
    for path in [
        "/console",
        "/console/",
        "/console/tenants",
        "/console/tenants/01900000-0000-7000-8000-000000000000/users",
        &file,
    ] {
        let response = get(path).await;
        assert_eq!(response.status, StatusCode::OK, "{path}");
        assert_eq!(response.text == page.text, path != file, "{path}");
        let policy = response.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(response.header("x-content-type-options"), "nosniff");
    }
    for missing in ["/console/files/index-00000000.js", "/console/files/..%2Findex.html", "/console/files/.gitignore"] {
        assert_eq!(get(missing).await.status, StatusCode::NOT_FOUND, "{missing}");
    }
    for inline in ["<style", "style=", "onload", "<script>"] {
        assert!(!page.text.contains(inline), "{inline}");
    }
}

#[tokio::test]
async fn without_an_identity_provider_the_page_reads_that_there_is_none() {
    let options = answer(console().await.anonymous_root(Method::GET, "/console/sign-in.json")).await;
    assert_eq!(options.header("cache-control"), "public, no-cache");
    assert_eq!((options.status, options.json), (StatusCode::OK, serde_json::json!({ "provider": null })));
}

/// The tests in `functions/get-console/web/e2e`, in Chromium, against the functions of the local stack.
#[test]
fn the_console_works_in_a_browser() {
    let folder = variable("CONSOLE_FOLDER");
    let mut playwright = Command::new(variable("NODE"));
    playwright.arg(Path::new(&folder).join("node_modules/@playwright/test/cli.js")).arg("test").current_dir(&folder);
    // The links to the files of an export lead to the object storage, whose certificate the local authority has signed.
    if let Some(authority) = optional_variable("AWS_CA_BUNDLE") {
        playwright.env("NODE_EXTRA_CA_CERTS", authority);
    }
    let output = playwright.output().unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    println!("{text}");
    assert!(output.status.success(), "{text}");
}
