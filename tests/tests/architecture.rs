//! Enforces the rules that the crate docs of `shared` state: which module may use which, where SQL, environment variables and
//! HTTP status codes may appear, and that no function uses another function.
//!
//! The test reads the tables in the docs and the tokens of the sources. Tokens are enough, because every rule concerns
//! paths and literals, and unlike a syntax tree they include the arguments and the bodies of macros.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A string literal that starts with one of these words is SQL.
const SQL_WORDS: [&str; 22] = [
    "ALTER",
    "AND",
    "CREATE",
    "DELETE",
    "DROP",
    "FROM",
    "GRANT",
    "INSERT",
    "JOIN",
    "LEFT",
    "LIMIT",
    "LOCK",
    "ORDER",
    "RETURNING",
    "REVOKE",
    "SELECT",
    "SET",
    "TRUNCATE",
    "UPDATE",
    "VALUES",
    "WHERE",
    "WITH",
];

/// Functions of `std::env` that read or change the environment.
const ENVIRONMENT: [&str; 6] = ["remove_var", "set_var", "var", "var_os", "vars", "vars_os"];

/// A row of the table of modules.
struct Row {
    is_noun: bool,
    may_use: BTreeSet<String>,
}

/// What a source file contains that a rule restricts.
#[derive(Debug, PartialEq, Eq)]
enum Use {
    /// A path that starts at the root of the crate: the name of the module or the macro.
    Root(String),
    Sql(String),
    Environment(String),
    StatusCode,
}

struct Finding {
    line: usize,
    found: Use,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Path below the repository and text of each Rust file in a folder.
fn sources(folder: &str) -> Vec<(String, String)> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
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

/// How many modules enclose the items of a file.
fn depth(path: &str) -> usize {
    let inside = path.rsplit_once("src/").map_or(path, |(_, inside)| inside);
    let parts = inside.trim_end_matches(".rs").split('/').filter(|part| !["lib", "main", "mod"].contains(part));
    parts.count()
}

/// Finds the restricted tokens of a file.
struct Scanner {
    findings: Vec<Finding>,
}

#[derive(Clone, Copy)]
struct Scope {
    /// Modules between the crate's root and these tokens.
    depth: usize,
    /// In an attribute, or in a module that only tests compile.
    ignores_sql: bool,
}

impl Scanner {
    fn scan(path: &str, text: &str) -> Vec<Finding> {
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut scanner = Self { findings: Vec::new() };
        scanner.walk(tokens, Scope { depth: depth(path), ignores_sql: path.ends_with("tests.rs") });
        scanner.findings
    }

    fn walk(&mut self, tokens: TokenStream, scope: Scope) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        // After `#[cfg(test)]`, until the end of the item.
        let mut in_test = false;
        for (at, token) in tokens.iter().enumerate() {
            let before = &tokens[..at];
            match token {
                TokenTree::Group(group) if is_attribute(before, group) => {
                    let text = group.stream().to_string().replace(' ', "");
                    in_test |= text == "cfg(test)";
                    if !text.starts_with("doc=") {
                        self.walk(group.stream(), Scope { ignores_sql: true, ..scope });
                    }
                }
                TokenTree::Group(group) => {
                    let is_braced = group.delimiter() == Delimiter::Brace;
                    let is_module = is_braced && at >= 2 && is_ident(&tokens[at - 2], "mod");
                    let depth = scope.depth + usize::from(is_module);
                    self.walk(group.stream(), Scope { depth, ignores_sql: scope.ignores_sql || in_test });
                    in_test &= !is_braced;
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => in_test = false,
                TokenTree::Ident(ident) => self.path(&ident.to_string(), &tokens[at..], before, scope),
                TokenTree::Literal(literal) if !scope.ignores_sql && !in_test => {
                    let text = literal.to_string();
                    let content = text.trim_start_matches(['r', '#', '"', '\\', 'n', ' ', '\n']);
                    let word = content.split([' ', '\n']).next().unwrap();
                    if text.contains('"') && word.len() < content.len() && SQL_WORDS.contains(&word) {
                        let line = literal.span().start().line;
                        let start = content.chars().take(40).collect();
                        self.findings.push(Finding { line, found: Use::Sql(start) });
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    /// Examines the path that starts with this identifier, if it starts one.
    fn path(&mut self, ident: &str, from: &[TokenTree], before: &[TokenTree], scope: Scope) {
        let line = from[0].span().start().line;
        let mut push = |found| self.findings.push(Finding { line, found });
        let continues = ends_with_separator(before);
        match ident {
            "StatusCode" => push(Use::StatusCode),
            "env" => {
                for (name, _) in next_segments(&from[1..]) {
                    if ENVIRONMENT.contains(&name.as_str()) {
                        push(Use::Environment(name));
                    }
                }
            }
            "crate" => {
                for (name, line) in next_segments(&from[1..]) {
                    self.findings.push(Finding { line, found: Use::Root(name) });
                }
            }
            // `super::super::…`: from the first on, count how far up the path goes.
            "super" if !continues => {
                let mut rest = from;
                let mut steps = 0;
                while rest.first().is_some_and(|token| is_ident(token, "super")) {
                    steps += 1;
                    let Some(after) = after_separator(&rest[1..]) else { return };
                    rest = after;
                }
                if steps >= scope.depth {
                    for (name, line) in segments(rest) {
                        self.findings.push(Finding { line, found: Use::Root(name) });
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_ident(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == name)
}

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

/// Whether the group belongs to `#[…]` or `#![…]`.
fn is_attribute(before: &[TokenTree], group: &proc_macro2::Group) -> bool {
    let mut previous = before.iter().rev();
    group.delimiter() == Delimiter::Bracket
        && match previous.next() {
            Some(TokenTree::Punct(punct)) if punct.as_char() == '#' => true,
            Some(TokenTree::Punct(punct)) if punct.as_char() == '!' => is_punct(previous.next(), '#'),
            _ => false,
        }
}

fn ends_with_separator(tokens: &[TokenTree]) -> bool {
    is_punct(tokens.last(), ':')
}

/// The tokens after `::`.
fn after_separator(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    (is_punct(tokens.first(), ':') && is_punct(tokens.get(1), ':')).then(|| &tokens[2..])
}

/// The names after `::`, with their lines: one, or several in braces.
fn next_segments(tokens: &[TokenTree]) -> Vec<(String, usize)> {
    after_separator(tokens).map(segments).unwrap_or_default()
}

fn segments(tokens: &[TokenTree]) -> Vec<(String, usize)> {
    let named = |token: &TokenTree| (token.to_string(), token.span().start().line);
    match tokens.first() {
        Some(token @ TokenTree::Ident(_)) => vec![named(token)],
        Some(TokenTree::Group(group)) => {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            let starts = inner.iter().enumerate().filter(|(at, _)| *at == 0 || is_punct(inner.get(at - 1), ','));
            starts.map(|(_, token)| named(token)).collect()
        }
        _ => Vec::new(),
    }
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
        for finding in Scanner::scan(path, text) {
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
    // Remove modules that use only removed ones; those of a cycle remain.
    let mut remaining = modules;
    loop {
        let left: BTreeSet<String> = remaining.keys().cloned().collect();
        remaining.retain(|_, row| !row.may_use.is_disjoint(&left));
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
        let is_needed = covered.any(|(path, text)| Scanner::scan(path, text).iter().any(is_sql));
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

#[test]
fn the_scanner_finds_every_form_of_a_restricted_use() {
    let text = r#"
use crate::{tenants::{self, Tenant}, users};
use super::super::events;
use std::env::{self, var};
#[error("DELETE is not allowed")]
/// SELECT in a doc comment
fn f() { env::vars(); println!("SELECT {x}", $crate::audit::A, super::local); "UPDATE"; StatusCode::OK; }
#[cfg(test)]
mod tests { use super::super::super::health; const A: &str = "SELECT 1"; }
const AFTER: &str = "
    DROP TABLE x";
"#;
    let found: Vec<String> = Scanner::scan("shared/src/a/b.rs", text)
        .into_iter()
        .map(|one| format!("{} {:?}", one.line, one.found))
        .collect();
    let expected = [
        "2 Root(\"tenants\")",
        "2 Root(\"users\")",
        "3 Root(\"events\")",
        "4 Environment(\"var\")",
        "7 Environment(\"vars\")",
        "7 Sql(\"SELECT {x}\\\"\")",
        "7 Root(\"audit\")",
        "7 StatusCode",
        "9 Root(\"health\")",
        "10 Sql(\"DROP TABLE x\\\"\")",
    ];
    assert_eq!(found, expected);
}
