//! The page `GET /docs`, in a browser and as a source of commands.

use std::{path::Path, process::Command};

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Api, World,
    api::{Parts, answer},
    recorded,
    token_endpoint::TokenEndpoint,
    variable,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_accessible_and_can_be_searched() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let url = format!("{}/docs", api.base);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/reference-page.js");
    let mut node = Command::new(variable("NODE"));
    node.arg(script).arg(&url);
    let output = tokio::task::spawn_blocking(move || node.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();

    assert!(seen["violations"] == json!([]), "{:#}", seen["violations"]);
    // The policy of the page refused nothing that the page needs, and nothing was loaded from elsewhere.
    assert_eq!(seen["messages"], json!([]));
    assert_eq!(seen["requests"], json!([url]));

    let search = &seen["search"];
    let results: Vec<&str> = search["results"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert!(results.contains(&"slug · field of TenantRequest"), "{results:?}");
    assert_eq!(search["status"].as_str().unwrap().split(' ').next().unwrap(), results.len().to_string());
    assert_eq!(search["contents"], false);
    assert!(search["target"].as_str().unwrap().to_lowercase().contains("slug"), "{search}");
    let nothing = json!({ "status": "0 found", "results": [], "contents": false, "target": "" });
    assert_eq!(seen["nothing"], nothing);

    let anchors = &seen["anchors"];
    assert_eq!(
        (&anchors["broken"], &anchors["repeated"], &anchors["fieldsWithout"]),
        (&json!([]), &json!([]), &json!(0))
    );
    assert!(anchors["fields"].as_u64().unwrap() > 100, "{anchors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_of_the_page_succeeds() {
    let world = World::new().await;
    let provider = TokenEndpoint::start().await;
    let api = Api::with(&Parts { code_exchange: Some(provider.client()), ..Parts::of(&world) }).await;
    let page = answer(api.anonymous(Method::GET, "/docs")).await.text;
    let document = answer(api.anonymous(Method::GET, "/openapi.json")).await.json;
    let address = api.base.trim_end_matches("/api/super-admin").to_owned();
    let mut failures = Vec::new();
    recorded::send_each(&world, &document, async |request, token| {
        let command = command(&page, &request.operation);
        // The page's command, of which only the output is changed.
        let script = format!(
            "curl() {{ command curl --silent --output /dev/null --write-out '%{{http_code}}' \"$@\"; }}\n{command}"
        );
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", &script]).env("API", &address).env("TOKEN", token);
        let output = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
        let status = String::from_utf8(output.stdout).unwrap();
        if !status.starts_with('2') {
            failures.push(format!("{status} {}: {command}", request.operation));
        }
    })
    .await;
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The command of an operation, as a browser shows it.
fn command(page: &str, operation: &str) -> String {
    let section =
        page.split(&format!("id=\"{operation}\"")).nth(1).unwrap_or_else(|| panic!("{operation} is not on the page"));
    let section = section.split("</section>").next().unwrap();
    let code = section.split("<code class=\"command\">").nth(1).unwrap_or_else(|| panic!("{operation} has no command"));
    let text = code.split("</code>").next().unwrap();
    [("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]
        .into_iter()
        .fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}
