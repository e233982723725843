use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn document() -> Document {
    Document::embedded().unwrap()
}

/// Method and path of every operation, read without the code above.
fn described() -> BTreeMap<(String, String), String> {
    let document: Value = serde_json::from_str(TEXT).unwrap();
    let mut found = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if let Some(id) = operation["operationId"].as_str() {
                found.insert((method.to_uppercase(), path.clone()), id.to_owned());
            }
        }
    }
    found
}

#[test]
fn every_operation_has_exactly_one_command_and_every_command_an_operation() {
    let (document, described) = (document(), described());
    assert!(described.len() >= 42, "{described:?}");
    let read: BTreeMap<_, _> =
        document.operations.iter().map(|one| ((one.method.clone(), one.path.clone()), one.id.clone())).collect();
    assert_eq!(read, described);
    let commands: BTreeSet<String> = document.operations.iter().map(|one| one.words.join(" ")).collect();
    assert_eq!(commands.len(), described.len(), "two operations have one command: {commands:?}");
}

#[test]
fn every_exception_of_the_names_is_used() {
    let document = document();
    for (method, path, verb) in names::EXCEPTIONS {
        let operation = document.find(method, &format!("/api/super-admin{path}")).unwrap();
        assert_eq!(operation.words.last().unwrap(), verb);
    }
}

#[test]
fn what_this_program_does_itself_refers_to_operations_that_exist() {
    let document = document();
    let login = document.find("POST", "/api/super-admin/auth/login").unwrap();
    assert_eq!(login.credentials().collect::<Vec<_>>(), ["access_token"]);
    assert!(document.find("GET", "/api/super-admin/operations/{id}").is_some());
    let create = document.find("POST", "/api/super-admin/tenants").unwrap();
    assert!(create.response.starts_operation && create.needs_token);
    let health = document.find("GET", "/api/super-admin/health").unwrap();
    assert_eq!(health.response.reported_failures, [503]);
    assert!(!health.needs_token);
    let start = document.find("POST", "/api/super-admin/impersonations").unwrap();
    assert_eq!(start.credentials().collect::<Vec<_>>(), ["token"]);
}

#[test]
fn the_description_contains_what_the_options_are_made_from() {
    let document = document();
    let create = document.find("POST", "/api/super-admin/tenants").unwrap();
    let fields = &create.body.as_ref().unwrap().fields;
    let field = |name: &str| fields.iter().find(|field| field.name() == name).unwrap();
    assert!(field("admin_password").value.secret && field("slug").required);
    assert!(field("limits.max_agents").value.nullable && !field("limits.max_agents").required);
    let list = document.find("GET", "/api/super-admin/tenants").unwrap();
    assert!(list.has_pages());
    let status = list.parameter(Place::Query, "status").unwrap();
    assert!(status.value.choices.iter().any(|choice| choice == "suspended"));
    assert_eq!(list.parameter(Place::Query, "limit").unwrap().maximum, Some(10_000));
    assert!(list.response.fields.iter().any(|field| field.name() == "limits.max_contacts"));
}
