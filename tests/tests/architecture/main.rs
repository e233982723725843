//! Enforces the rules that the crate docs of `shared` state: which module may use which, where SQL, environment variables and
//! HTTP status codes may appear, and that no function uses another function.
//!
//! The tests read the tables in the docs and scan the sources.

mod scanner;
mod tenant_writes;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use scanner::{Finding, Use, scan};
use tests::manifests::repository;

/// A row of the table of modules.
struct Row {
    is_noun: bool,
    may_use: BTreeSet<String>,
}

/// Path below the repository and text of each Rust file in a folder.
fn sources(folder: &str) -> Vec<(String, String)> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("node_modules") {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    collect(&repository().join(folder), &mut paths);
    paths.sort();
    let relative = |path: &Path| path.strip_prefix(repository()).unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect()
}

/// The cells of each row of the table in the crate docs whose first column has this heading.
fn table(heading: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(repository().join("shared/src/lib.rs")).unwrap();
    let docs = text.lines().filter_map(|line| line.strip_prefix("//!")).map(str::trim);
    let start = format!("| {heading} |");
    let rows: Vec<Vec<String>> = docs
        .skip_while(|line| !line.starts_with(&start))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect())
        .collect();
    assert!(!rows.is_empty(), "shared/src/lib.rs: the crate docs have no table that starts with `{start}`");
    rows
}

/// The table of modules: which may use which.
fn modules() -> BTreeMap<String, Row> {
    let mut modules = BTreeMap::new();
    for row in table("module") {
        let [name, kind, may_use] = row.try_into().expect("three columns: module, kind, may use");
        let may_use = may_use.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
        let is_noun = match kind.as_str() {
            "noun" => true,
            "plumbing" => false,
            other => panic!("shared/src/lib.rs: `{name}` has the kind `{other}`; expected noun or plumbing"),
        };
        let repeated = modules.insert(name.clone(), Row { is_noun, may_use });
        assert!(repeated.is_none(), "shared/src/lib.rs: the table lists `{name}` twice");
    }
    modules
}

/// The top-level module of a file of `shared`; `None` for `lib.rs`.
fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("shared/src/").unwrap();
    let first = inside.split('/').next().unwrap().trim_end_matches(".rs");
    (first != "lib").then_some(first)
}

/// Where each macro that is exported at the crate's root is defined.
fn exported_macros(sources: &[(String, String)]) -> BTreeMap<String, String> {
    let mut macros = BTreeMap::new();
    for (path, text) in sources {
        for (_, after) in text.match_indices("macro_rules! ").map(|(at, found)| text.split_at(at + found.len())) {
            let name = after.split([' ', '{', '(']).next().unwrap();
            if let Some(module) = module_of(path) {
                macros.insert(name.to_owned(), module.to_owned());
            }
        }
    }
    macros
}

/// Reports every use that is not allowed: `file:line: message`.
fn check(sources: &[(String, String)], complaint: impl Fn(&str, &Use) -> Option<String>) {
    let mut violations = Vec::new();
    for (path, text) in sources {
        for finding in scan(path, text) {
            if let Some(complaint) = complaint(path, &finding.found) {
                violations.push(format!("{path}:{}: {complaint}", finding.line));
            }
        }
    }
    assert!(violations.is_empty(), "{} violation(s):\n{}\n", violations.len(), violations.join("\n"));
}

#[test]
fn each_module_of_shared_uses_only_the_modules_that_the_table_allows() {
    let (modules, sources) = (modules(), sources("shared/src"));
    let macros = exported_macros(&sources);
    check(&sources, |path, found| {
        let (Use::Root(name), Some(from)) = (found, module_of(path)) else { return None };
        let to = if modules.contains_key(name) { name } else { macros.get(name)? };
        let (row, target) = (modules.get(from)?, &modules[to]);
        // Every noun may use all plumbing.
        let allowed = from == to || row.may_use.contains(to) || (row.is_noun && !target.is_noun);
        let reason = if target.is_noun && !row.is_noun { "plumbing uses no noun" } else { "not in the table" };
        (!allowed).then(|| format!("arrow {from} -> {to}: {reason} (crate docs of shared/src/lib.rs)"))
    });
}

#[test]
fn the_table_of_modules_is_complete_and_has_no_cycle() {
    let modules = modules();
    let written: BTreeSet<String> =
        sources("shared/src").iter().filter_map(|(path, _)| module_of(path)).map(ToOwned::to_owned).collect();
    let listed: BTreeSet<String> = modules.keys().cloned().collect();
    assert_eq!(listed, written, "shared/src/lib.rs: the table (left) and the folders (right) differ");
    for (name, row) in &modules {
        for used in &row.may_use {
            let target = modules.get(used).unwrap_or_else(|| panic!("the row of `{name}` names unknown `{used}`"));
            assert!(row.is_noun || !target.is_noun, "the row of `{name}` names `{used}`, but plumbing uses no noun");
        }
    }
    // Remove modules that use no remaining one, and modules that no remaining one uses, until only cycles remain.
    let mut remaining = modules;
    loop {
        let left: BTreeSet<String> = remaining.keys().cloned().collect();
        let used: BTreeSet<String> = remaining.values().flat_map(|row| row.may_use.clone()).collect();
        remaining.retain(|name, row| used.contains(name) && !row.may_use.is_disjoint(&left));
        if remaining.len() == left.len() {
            break;
        }
    }
    let arrows = |(name, row): (&String, &Row)| {
        let inside: Vec<&str> =
            row.may_use.iter().filter(|used| remaining.contains_key(*used)).map(String::as_str).collect();
        format!("{name} -> {}", inside.join(", "))
    };
    let cycle: Vec<String> = remaining.iter().map(arrows).collect();
    assert!(cycle.is_empty(), "shared/src/lib.rs: the table of modules contains a cycle among\n{}", cycle.join("\n"));
}

#[test]
fn sql_is_in_store_files_only() {
    let mut everything = sources("shared/src");
    everything.extend(sources("functions"));
    // A file, or a folder that ends with a slash.
    let exceptions: Vec<String> = table("file").into_iter().map(|row| row[0].clone()).collect();
    let covers =
        |exception: &str, path: &str| path == exception || exception.ends_with('/') && path.starts_with(exception);
    let is_sql = |finding: &Finding| matches!(finding.found, Use::Sql(_));
    for exception in &exceptions {
        let mut covered = everything.iter().filter(|(path, _)| covers(exception, path));
        let is_needed = covered.any(|(path, text)| scan(path, text).iter().any(is_sql));
        assert!(is_needed, "shared/src/lib.rs: the exception `{exception}` contains no SQL; remove its row");
    }
    check(&everything, |path, found| {
        let Use::Sql(start) = found else { return None };
        let is_store = path.ends_with("/store.rs") || path.contains("/store/") || path.starts_with("shared/src/sql/");
        let allowed = is_store || exceptions.iter().any(|exception| covers(exception, path));
        (!allowed).then(|| format!("SQL outside `store` files: {start:?}"))
    });
}

#[test]
fn only_config_reads_the_environment() {
    let mut everything = sources("shared/src");
    everything.extend(sources("functions").into_iter().filter(|(path, _)| path.contains("/src/")));
    check(&everything, |path, found| {
        let Use::Environment(function) = found else { return None };
        let allowed = path.starts_with("shared/src/config/");
        (!allowed).then(|| format!("environment read (`env::{function}`) outside `shared/src/config`"))
    });
}

#[test]
fn only_http_and_functions_contain_http_status_codes() {
    check(&sources("shared/src"), |path, found| {
        let allowed = *found != Use::StatusCode || path.starts_with("shared/src/http/");
        (!allowed).then(|| "HTTP status code outside `shared/src/http` and `functions`".to_owned())
    });
}

#[test]
fn no_function_depends_on_another_function() {
    let folders = fs::read_dir(repository().join("functions")).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<PathBuf> = folders.filter(|path| path.is_dir()).collect();
    let names: BTreeSet<&str> = folders.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    for folder in &folders {
        let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for name in manifest.get(section).and_then(|table| table.as_table()).into_iter().flat_map(toml::Table::keys)
            {
                let function = folder.file_name().unwrap().to_str().unwrap();
                let is_function = names.contains(name.as_str());
                assert!(!is_function, "functions/{function}/Cargo.toml: [{section}] contains the function `{name}`");
            }
        }
    }
}
