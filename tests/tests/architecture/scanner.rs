//! Finds the uses that a rule restricts. It reads tokens, which are enough because every rule concerns paths and literals.
//! Unlike a syntax tree, they include the arguments and the bodies of macros.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

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

/// What a source file contains that a rule restricts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// A path that starts at the root of the crate: the name of the module or the macro.
    Root(String),
    Sql(String),
    Environment(String),
    StatusCode,
}

pub(crate) struct Finding {
    pub(crate) line: usize,
    pub(crate) found: Use,
}

/// How many modules enclose the items of a file.
fn depth(path: &str) -> usize {
    let inside = path.rsplit_once("src/").map_or(path, |(_, inside)| inside);
    let parts = inside.trim_end_matches(".rs").split('/').filter(|part| !["lib", "main", "mod"].contains(part));
    parts.count()
}

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

/// Finds the restricted uses of a file.
pub(crate) fn scan(path: &str, text: &str) -> Vec<Finding> {
    let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut scanner = Scanner { findings: Vec::new() };
    scanner.walk(tokens, Scope { depth: depth(path), ignores_sql: path.ends_with("tests.rs") });
    scanner.findings
}

impl Scanner {
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
                        let start = content.trim_end_matches(['"', '#']).chars().take(40).collect();
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
fn is_attribute(before: &[TokenTree], group: &Group) -> bool {
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
    let found: Vec<String> =
        scan("shared/src/a/b.rs", text).into_iter().map(|one| format!("{} {:?}", one.line, one.found)).collect();
    let expected = [
        "2 Root(\"tenants\")",
        "2 Root(\"users\")",
        "3 Root(\"events\")",
        "4 Environment(\"var\")",
        "7 Environment(\"vars\")",
        "7 Sql(\"SELECT {x}\")",
        "7 Root(\"audit\")",
        "7 StatusCode",
        "9 Root(\"health\")",
        "10 Sql(\"DROP TABLE x\")",
    ];
    assert_eq!(found, expected);
}
