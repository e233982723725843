//! Every type of problem is documented, served at its URL, and produced by the API.

use std::{collections::BTreeSet, fs};

use reqwest::{Method, StatusCode};
use serde_json::Value;
use shared::http::problem_types;
use tests::{
    Api, World,
    api::answer,
    manifests::repository,
    problems::{Produced, produce_all},
};

/// The members of RFC 9457, and `instance`.
const STANDARD: [&str; 5] = ["type", "title", "status", "detail", "instance"];

#[tokio::test]
async fn the_api_produces_a_problem_of_every_type_with_the_members_that_the_type_lists() {
    let produced = produce_all().await;
    println!("| type | status | request |\n| --- | --- | --- |");
    for (name, answer) in &produced {
        println!("| {name} | {} | {} |", answer.status.as_u16(), answer.json["detail"].as_str().unwrap());
    }
    let known: BTreeSet<&str> = problem_types::ALL.iter().map(|kind| kind.name).collect();
    let found: BTreeSet<&str> = produced.keys().map(String::as_str).collect();
    assert_eq!(found, known, "tests/src/problems.rs must produce each type of shared/src/http/problem_types.rs");
    for kind in problem_types::ALL {
        let answer = &produced[kind.name];
        assert!(kind.statuses.contains(&answer.status.as_u16()), "{}: {}", kind.name, answer.status);
        assert_eq!(answer.json["title"], kind.title);
        let own = answer.json.as_object().unwrap().keys().map(String::as_str).filter(|key| !STANDARD.contains(key));
        assert_eq!(own.collect::<BTreeSet<_>>(), kind.members.iter().copied().collect(), "{}", answer.text);
    }
    check_members(&produced);
}

/// Members have the values that a client needs.
fn check_members(produced: &Produced) {
    let of = |name: &str| &produced[name].json;
    assert_eq!(of("slug-taken")["slug"], "kopi-kenangan");
    assert_eq!([&of("seats-exhausted")["limit"], &of("seats-exhausted")["used"]], [1, 1]);
    assert_eq!(of("tenant-not-active")["tenant_status"], "suspended");
    assert!(of("operation-running")["operation_id"].is_string());
    assert!(of("impersonation-live")["impersonation_id"].is_string());
    let mut codes: Vec<_> = of("invalid-input")["errors"].as_array().unwrap().iter().map(code_of).collect();
    codes.sort();
    let expected = [
        "/admin_email required",
        "/admin_password required",
        "/colour unknown_name",
        "/country required",
        "/name invalid_length",
        "/slug reserved",
    ];
    assert_eq!(codes, expected);
    assert_eq!(produced["method-not-allowed"].header("allow"), "GET, POST");
    assert!(produced["too-many-requests"].header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
}

fn code_of(fault: &Value) -> String {
    format!("{} {}", fault["pointer"].as_str().unwrap(), fault["code"].as_str().unwrap())
}

#[tokio::test]
async fn the_url_of_every_type_describes_it_without_a_token() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    for kind in problem_types::ALL {
        let served = answer(api.anonymous_root(Method::GET, &kind.url())).await;
        assert_eq!((served.status, served.header("cache-control")), (StatusCode::OK, "public, max-age=300"));
        assert_eq!((&served.json["type"], &served.json["name"]), (&kind.url().into(), &kind.name.into()));
        for text in ["title", "meaning", "remedy"] {
            assert!(served.json[text].as_str().is_some_and(|text| !text.is_empty()), "{}", served.text);
        }
    }
    let unknown = answer(api.anonymous(Method::GET, "/problems/nothing")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{}", unknown.text);
}

fn document() -> Value {
    serde_json::from_str(&fs::read_to_string(repository().join("infra/openapi.json")).unwrap()).unwrap()
}

#[test]
fn every_conflict_is_in_the_description_of_an_operation() {
    let responses = document()["components"]["responses"].to_string();
    let conflicts = problem_types::ALL.iter().filter(|kind| kind.statuses.contains(&409));
    let lacking: Vec<_> =
        conflicts.map(|kind| kind.url()).filter(|url| !responses.contains(&format!("{url}\""))).collect();
    assert_eq!(lacking, [""; 0]);
}

#[test]
fn the_document_lists_every_type() {
    let document = document();
    let description = document["info"]["description"].as_str().unwrap();
    for kind in problem_types::ALL {
        assert!(description.contains(&format!("[`{}`]({})", kind.name, kind.url())), "{}", kind.name);
    }
}
