//! The rights of the functions' roles in the bucket of the tenants.

use serde_json::Value;
use tests::template;

/// The statements of a role's own policies.
fn statements(role: &Value) -> impl Iterator<Item = &Value> {
    let policies = role["Properties"]["Policies"].as_array().into_iter().flatten();
    policies.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().into_iter().flatten())
}

/// Whether the statement allows the action, for something that mentions `text`.
fn allows(statement: &Value, action: &str, text: &str) -> bool {
    let actions = &statement["Action"];
    let names = actions.as_array().map_or_else(|| vec![actions], |all| all.iter().collect());
    names.iter().any(|name| *name == action) && statement.to_string().contains(text)
}

/// S3 answers 404 for a missing object only to those who may list it, and 403 to others: a lost file would look like a wrong policy,
/// after which an operation waits for a better one.
#[test]
fn a_role_that_reads_files_of_exports_may_list_them() {
    let template = template::read();
    let roles = template["Resources"].as_object().unwrap().iter().filter(|(_, one)| one["Type"] == "AWS::IAM::Role");
    let readers: Vec<_> =
        roles.filter(|(_, role)| statements(role).any(|one| allows(one, "s3:GetObject", "/exports/"))).collect();
    let names: Vec<_> = readers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.len() >= 3, "{names:?}");
    for (name, role) in readers {
        assert!(statements(role).any(|one| allows(one, "s3:ListBucket", "\"exports/*\"")), "{name}");
    }
}
