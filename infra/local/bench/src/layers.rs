//! The test of the table of layers in the crate's docs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Which layers each layer may use.
type LayerTable = BTreeMap<String, BTreeSet<String>>;
/// The text of each module, by path: `measure::samples`.
type Sources = BTreeMap<String, String>;

const MAIN: &str = "main";

#[test]
fn modules_use_only_layers_that_the_table_allows() {
    let table = layer_table(include_str!("main.rs"));
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(table.len() > 5 && sources.len() > 25, "{} layers, {} modules", table.len(), sources.len());
    assert_eq!(violations(&table, &sources), Vec::<String>::new());
}

#[test]
fn a_layer_that_the_table_does_not_allow_is_reported() {
    let table = layer_table("//! | `low` | a | |\n//! | `high` | b | `low` |\n//! | `main` | c | `high` |");
    let upward = [("low::a", "use crate::high::b::Thing;"), ("high::b", "use crate::{low::{a::Other}};")];
    let expected = ["low::a uses high::b", "high::b, low::a form a circle"];
    assert_eq!(violations(&table, &invented(&upward)), expected);
    let root = [("high::b", "fn b() -> crate::Result<()> {}")];
    assert_eq!(violations(&table, &invented(&root)), ["high::b uses main"]);
    let unknown = [("other", "")];
    assert_eq!(violations(&table, &invented(&unknown)), ["other is in no layer"]);
    let after_tests =
        [("low::a", "#[cfg(test)]\nmod tests {\n    use super::*;\n}\nuse crate::high::b;"), ("high::b", "")];
    assert_eq!(violations(&table, &invented(&after_tests)), ["low::a uses high::b"]);
    let relative = [("high::b", "use super::c;")];
    assert_eq!(violations(&table, &invented(&relative)), ["high::b contains a path with super:: or self::"]);
}

#[test]
fn a_circle_within_a_layer_is_reported() {
    let table = layer_table("//! | `low` | a | |");
    let circle = [
        ("low::a", "use crate::low::{b, c::Thing as Other};"),
        ("low::b", "fn b() { crate::low::d::f() }"),
        ("low::c", "// use crate::low::a;"),
        ("low::d", "use crate::low::a::*;"),
    ];
    assert_eq!(violations(&table, &invented(&circle)), ["low::a, low::b, low::d form a circle"]);
}

fn invented(modules: &[(&str, &str)]) -> Sources {
    modules.iter().map(|(module, text)| ((*module).to_owned(), (*text).to_owned())).collect()
}

/// Reads rows such as ``| `report` | figures | `measure`, `error` |``.
fn layer_table(text: &str) -> LayerTable {
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect::<BTreeSet<_>>();
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | `"));
    rows.filter_map(|row| Some((row.split_once('`')?.0.to_owned(), names(row.split('|').nth(2)?)))).collect()
}

fn sources(folder: &Path) -> Sources {
    let mut sources = Sources::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let module = path.strip_prefix(folder).unwrap().with_extension("");
            let module = module.to_str().unwrap().replace('/', "::");
            let module = module.strip_suffix("::mod").unwrap_or(&module).to_owned();
            // This file contains paths as examples.
            if module != "layers" {
                sources.insert(module, fs::read_to_string(&path).unwrap());
            }
        }
    }
    sources
}

fn violations(table: &LayerTable, sources: &Sources) -> Vec<String> {
    let mut violations = Vec::new();
    let mut arrows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (module, text) in sources {
        let Some(allowed) = table.get(layer(module)) else {
            violations.push(format!("{module} is in no layer"));
            continue;
        };
        let code = code(text);
        if code.contains("super::") || code.contains("self::") {
            violations.push(format!("{module} contains a path with super:: or self::"));
        }
        for used in code.match_indices("crate::").flat_map(|(at, start)| expand(&code[at + start.len()..])) {
            let used = containing_module(sources, &used);
            if layer(used) != layer(module) && !allowed.contains(layer(used)) {
                violations.push(format!("{module} uses {used}"));
            }
            if used != module {
                arrows.entry(module).or_default().insert(used);
            }
        }
    }
    violations.extend(circle(&arrows).map(|modules| format!("{} form a circle", modules.join(", "))));
    violations
}

fn layer(module: &str) -> &str {
    module.split("::").next().unwrap_or(module)
}

/// The text without comments and unit tests.
fn code(text: &str) -> String {
    let (before, tests) = text.split_once("#[cfg(test)]\nmod tests {").unwrap_or((text, ""));
    // The module ends with the first brace that is not indented.
    let after = tests.split_once("\n}\n").map(|(_, after)| after).unwrap_or_default();
    let text = [before, after].concat();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The paths of a path or of a tree of paths: `a::{b, c::d}` has `a::b` and `a::c::d`.
fn expand(text: &str) -> Vec<String> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    let (prefix, rest) = text.split_at(end);
    let Some(tree) = rest.strip_prefix('{') else { return vec![prefix.to_owned()] };
    let mut paths = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in tree.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let branch = tree[start..at].trim();
                if !branch.is_empty() {
                    paths.extend(expand(branch).into_iter().map(|path| format!("{prefix}{path}")));
                }
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    paths
}

/// The longest prefix of a path that is a module, or else the crate's root.
fn containing_module<'a>(sources: &'a Sources, path: &str) -> &'a str {
    let mut prefix = path.trim_end_matches(':');
    loop {
        if let Some((module, _)) = sources.get_key_value(prefix) {
            return module;
        }
        match prefix.rsplit_once("::") {
            Some((shorter, _)) => prefix = shorter,
            None => return MAIN,
        }
    }
}

/// The modules on a circle, or between two: those that remain after repeatedly removing every module that uses no other, or
/// that no other uses.
fn circle<'a>(arrows: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    let mut rest: BTreeSet<&str> = arrows.keys().copied().collect();
    loop {
        let uses = |module: &str| arrows.get(module).is_some_and(|used| used.iter().any(|used| rest.contains(used)));
        let is_used = |module: &str| rest.iter().any(|other| arrows[other].contains(module));
        let kept: BTreeSet<_> = rest.iter().copied().filter(|module| uses(module) && is_used(module)).collect();
        if kept.len() == rest.len() {
            return (!rest.is_empty()).then(|| rest.into_iter().collect());
        }
        rest = kept;
    }
}
