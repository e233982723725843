//! Every statement that writes to a table of a tenant's PostgreSQL database is in the table of the crate docs, which says how
//! it is settled.

use std::collections::BTreeMap;

use super::{sources, table};

const WRITES: [&str; 5] = ["INSERT INTO ", "UPDATE ", "DELETE FROM ", "MERGE INTO ", "TRUNCATE "];

/// The text with single spaces, so that a statement may be spread over lines.
fn single_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn name_at(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    &text[..end]
}

/// The names of the tables that the migrations of tenants create.
fn tenant_tables() -> Vec<String> {
    let folder = tests::manifests::repository().join("infra/migrations/tenant/postgresql");
    let mut tables = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = single_spaced(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
        tables.extend(text.split("CREATE TABLE ").skip(1).map(|rest| name_at(rest).to_owned()));
    }
    tables
}

/// The number of statements in `text` that write to one of the tables.
fn count_writes(text: &str, tables: &[String]) -> usize {
    let text = single_spaced(text);
    let writes =
        WRITES.iter().flat_map(|write| text.match_indices(write).map(|(at, _)| name_at(&text[at + write.len()..])));
    writes.filter(|name| tables.iter().any(|table| table == name)).count()
}

#[test]
fn every_write_to_a_tenants_database_is_settled() {
    let tables = tenant_tables();
    assert!(["users", "impersonations", "changes"].iter().all(|name| tables.iter().any(|table| table == name)));
    let mut found = BTreeMap::new();
    for (path, text) in sources("shared/src").into_iter().chain(sources("functions")) {
        let count = count_writes(&text, &tables);
        if count > 0 && path != "shared/src/lib.rs" {
            found.insert(path, count.to_string());
        }
    }
    let rows = table("statements in").into_iter().map(|row| (row[0].clone(), row[1].clone()));
    let listed: BTreeMap<_, _> = rows.collect();
    assert_eq!(found, listed, "shared/src/lib.rs: the statements (left) and the table (right) differ");
}

/// The functions of a migration that replace personal data, from the first one to the end of the second.
fn replacing_functions(path: &str) -> String {
    let text = std::fs::read_to_string(tests::manifests::repository().join(path)).unwrap();
    let begin = text.find("CREATE FUNCTION erase_words").unwrap();
    let second = begin + text[begin..].find("CREATE FUNCTION erase_fields").unwrap();
    text[begin..second + text[second..].find("\n$$;\n").unwrap()].to_owned()
}

#[test]
fn personal_data_are_replaced_alike_in_the_platform_database_and_in_those_of_tenants() {
    let platform = replacing_functions("infra/migrations/platform/V1__platform.sql");
    assert_eq!(platform, replacing_functions("infra/migrations/tenant/postgresql/V1__tenant.sql"));
    assert!(platform.contains("'full_name'") && platform.contains("'user_email'"), "{platform}");
}

#[test]
fn a_write_is_found_across_lines_and_only_in_tables_of_that_name() {
    let tables = ["users".to_owned()];
    assert_eq!(count_writes("UPDATE\n    users SET a = 1; INSERT INTO users VALUES (1)", &tables), 2);
    assert_eq!(count_writes("UPDATE users_of SET a = 1; SELECT FROM users", &tables), 0);
}
