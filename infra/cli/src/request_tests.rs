use clap::ArgMatches;
use serde_json::json;

use super::*;
use crate::{command_line, document::Document};

fn parsed(document: &Document, arguments: &[&str]) -> (usize, ArgMatches) {
    let mut matches = command_line::build(document).get_matches_from([&["landlord"], arguments].concat());
    let mut words = Vec::new();
    while let Some((word, inner)) = matches.remove_subcommand() {
        words.push(word);
        matches = inner;
    }
    (document.operations.iter().position(|one| one.words == words).unwrap(), matches)
}

fn request_of(arguments: &[&str]) -> Result<ApiRequest> {
    let document = Document::embedded().unwrap();
    let (index, matches) = parsed(&document, arguments);
    read(&document.operations[index], &matches, Secrets::Hide)
}

#[test]
fn parameters_become_the_path_the_query_and_headers() {
    let request = request_of(&["tenants", "users", "get", "a b/c", "42"]).unwrap();
    assert_eq!(request.target(), "/api/super-admin/tenants/a%20b%2Fc/users/42");
    let list =
        ["tenants", "list", "--status", "active", "--status", "failed,suspended", "--count", "--sort", "-created_at"];
    let request = request_of(&list).unwrap();
    let query = "status=active%2Cfailed%2Csuspended&sort=-created_at&count=true";
    assert_eq!(request.target(), format!("/api/super-admin/tenants?{query}"));
    assert!(request.body.is_none() && request.headers.is_empty());
    let update = request_of(&["tenants", "update", "1", "--if-match", "3", "--name", "Kopi"]).unwrap();
    assert_eq!(update.headers, [("if-match".to_owned(), "\"3\"".to_owned())]);
    assert_eq!(entity_tag("\"3\""), "\"3\"");
    assert_eq!(entity_tag("*"), "*");
}

#[test]
fn options_become_the_body_with_its_types() {
    let create = [
        "tenants",
        "create",
        "--name",
        "Kopi",
        "--limits.max-agents",
        "25",
        "--limits.max-contacts",
        "null",
        "--country",
        "ID",
    ];
    let request = request_of(&create).unwrap();
    let expected = json!({"name": "Kopi", "limits": {"max_agents": 25, "max_contacts": null}, "country": "ID", "admin_password": ""});
    assert_eq!(request.body.unwrap(), expected);
    // A required password is shown as a variable.
    assert_eq!(request.secrets, [vec!["admin_password".to_owned()]]);
    let redrive = request_of(&["dead-letters", "redrive", "--remove-unknown"]).unwrap();
    assert_eq!(redrive.body.unwrap(), json!({"remove_unknown": true}));
    assert!(request_of(&["dead-letters", "redrive"]).unwrap().body.is_none(), "an optional body is left out");
    let wrong = request_of(&["tenants", "update", "1", "--limits.max-agents", "many"]).err().unwrap();
    assert_eq!(wrong.to_string(), "error: --limits.max-agents: \"many\" is not an integer or null");
    assert_eq!(wrong.exit, crate::error::Exit::Usage);
}

#[test]
fn options_replace_fields_of_the_given_body() {
    let body = r#"{"name": "Kopi", "limits": {"max_agents": 1, "max_contacts": 2}}"#;
    let request = request_of(&["tenants", "update", "1", "--body", body, "--limits.max-agents", "9"]).unwrap();
    assert_eq!(request.body.unwrap(), json!({"name": "Kopi", "limits": {"max_agents": 9, "max_contacts": 2}}));
    let empty = request_of(&["tenants", "update", "1"]).unwrap();
    assert_eq!(empty.body.unwrap(), json!({}), "a required body is sent, so that the API names what is missing");
    for (body, message) in [("{", "is not JSON"), ("[1]", "no object"), ("/no/such/file", "cannot be read")] {
        let error = request_of(&["tenants", "update", "1", "--body", body, "--name", "x"]).err().unwrap();
        assert!(error.to_string().contains(message), "{body}: {error}");
    }
}

#[test]
fn a_password_is_refused_in_an_argument_and_read_from_a_file() {
    let inline =
        request_of(&["tenants", "create", "--body", r#"{"admin_password": "tidal-mango-orbit-42"}"#]).err().unwrap();
    assert!(inline.to_string().contains("admin_password must not be in an argument"), "{inline}");
    assert!(!inline.to_string().contains("tidal"), "{inline}");
    let path = std::env::temp_dir().join(format!("landlord-password-{}", std::process::id()));
    fs::write(&path, "tidal-mango-orbit-42\n").unwrap();
    let document = Document::embedded().unwrap();
    let file = path.to_str().unwrap();
    let (index, matches) = parsed(&document, &["tenants", "create", "--admin-password-file", file]);
    let request = read(&document.operations[index], &matches, Secrets::Read).unwrap();
    assert_eq!(request.body.unwrap()["admin_password"], "tidal-mango-orbit-42");
    fs::write(&path, r#"{"admin_password": "tidal-mango-orbit-42"}"#).unwrap();
    let (index, matches) = parsed(&document, &["tenants", "create", "--body", file]);
    let request = read(&document.operations[index], &matches, Secrets::Read).unwrap();
    assert_eq!(request.secrets, [vec!["admin_password".to_owned()]]);
    fs::remove_file(path).unwrap();
}

#[test]
fn a_post_that_can_be_repeated_has_a_key() {
    let generated = request_of(&["tenants", "create"]).unwrap();
    assert!(Uuid::parse_str(generated.idempotency_key().unwrap()).is_ok());
    let given = request_of(&["tenants", "create", "--idempotency-key", "k-1"]).unwrap();
    assert_eq!(given.headers, [("idempotency-key".to_owned(), "k-1".to_owned())]);
    assert_eq!(request_of(&["tenants", "get", "1"]).unwrap().idempotency_key(), None);
}
