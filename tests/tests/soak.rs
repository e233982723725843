//! The soak against the description of the API: a new operation cannot be forgotten.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::soak::{CALLED, LEFT_OUT};

#[test]
fn every_operation_that_changes_something_is_called_or_left_out_for_a_reason() {
    let document: Value = serde_json::from_str(include_str!("../../infra/openapi.json")).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|method| *method != "get" && *method != "parameters") {
            let path = path.strip_prefix("/api/super-admin").unwrap_or(path);
            described.insert((method.to_uppercase(), path.to_owned()));
        }
    }
    let named = CALLED.into_iter().chain(LEFT_OUT.into_iter().map(|(method, path, _)| (method, path)));
    let named: BTreeSet<_> = named.map(|(method, path)| (method.to_owned(), path.to_owned())).collect();
    assert_eq!(named, described);
}
