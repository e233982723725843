//! Tests of this package's structure: the table of layers in `main.rs`, and no circles among files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

/// A file as a module path, such as `servers::kafka`, and the files that it uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// The rows of the table, from the bottom layer up.
fn table(documentation: &str) -> Vec<BTreeSet<String>> {
    let row = |line: &str| {
        let modules = line.strip_prefix("//! |")?.split('|').nth(1)?;
        let names: BTreeSet<_> = modules.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect();
        (!names.is_empty()).then_some(names)
    };
    documentation.lines().filter_map(row).collect()
}

fn read_sources(folder: &Path, module: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let child = if module.is_empty() { stem.to_owned() } else { format!("{module}::{stem}") };
        if path.is_dir() {
            read_sources(&path, &child, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = if stem == "mod" { module.to_owned() } else { child };
            files.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

/// The code of a file without comments and without its tests, which come last.
fn code(source: &str) -> String {
    let lines = source.lines().take_while(|line| *line != "mod tests {");
    lines.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every path in a `use` tree, such as `a::b` and `a::c` in `a::{b, c}`. Stops where the path ends.
fn paths(tree: &str) -> Vec<String> {
    let name: String = tree.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let rest = tree[name.len()..].trim_start();
    if let Some(group) = rest.strip_prefix('{').filter(|_| name.is_empty()) {
        let members = group_members(group).into_iter().map(str::trim).filter(|member| !member.is_empty());
        return members.flat_map(paths).collect();
    }
    match rest.strip_prefix("::") {
        Some(rest) => paths(rest.trim_start()).into_iter().map(|path| format!("{name}::{path}")).collect(),
        None => vec![name],
    }
}

/// The text of each member of a group, up to the brace that closes it.
fn group_members(group: &str) -> Vec<&str> {
    let (mut members, mut depth, mut start) = (Vec::new(), 0, 0);
    for (index, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => {
                members.push(&group[start..index]);
                return members;
            }
            ',' if depth == 0 => {
                members.push(&group[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    members
}

/// The file that contains the item of a path: the longest prefix that is a file.
fn file_of<'a>(path: &'a str, files: &BTreeMap<String, String>) -> Option<&'a str> {
    let ends = path.match_indices("::").map(|(index, _)| index).chain([path.len()]);
    ends.map(|end| &path[..end]).filter(|prefix| files.contains_key(*prefix)).last()
}

fn find_uses(files: &BTreeMap<String, String>) -> Uses {
    let uses_of = |name: &String, source: &String| {
        let code = code(source);
        let parent = name.rsplit_once("::").map_or("", |(parent, _)| parent);
        let mut found = BTreeSet::new();
        for (keyword, base) in [("crate::", ""), ("super::", parent)] {
            for (index, _) in code.match_indices(keyword) {
                if code[..index].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                for path in paths(&code[index + keyword.len()..]) {
                    let path = if base.is_empty() { path } else { format!("{base}::{path}") };
                    found.extend(file_of(&path, files).map(ToOwned::to_owned));
                }
            }
        }
        // A `mod.rs` uses its own modules by their bare names.
        let children = files.keys().filter_map(|file| Some((file, file.strip_prefix(&format!("{name}::"))?)));
        for (file, child) in children {
            let path = format!("{child}::");
            let mut starts = code.match_indices(&path).map(|(index, _)| &code[..index]);
            if starts.any(|before| !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')) {
                found.insert(file.clone());
            }
        }
        found.remove(name);
        found
    };
    files.iter().map(|(name, source)| (name.clone(), uses_of(name, source))).collect()
}

fn sources() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    read_sources(Path::new(SOURCES), "", &mut files);
    files.remove("layers");
    files
}

/// The arrows between modules of the crate's root that the table does not allow.
fn violations(table: &[BTreeSet<String>], uses: &Uses) -> Vec<String> {
    let root = |name: &str| name.split("::").next().unwrap_or_default().to_owned();
    let layer = |name: &str| table.iter().position(|row| row.contains(name));
    let mut found = BTreeSet::new();
    for (file, used) in uses {
        let module = root(file);
        for used in used.iter().map(|name| root(name)).filter(|name| *name != module && module != "main") {
            if layer(&module).is_none() || layer(&used) >= layer(&module) {
                found.insert(format!("`{module}` uses `{used}`"));
            }
        }
    }
    found.into_iter().collect()
}

/// Files that use each other in a circle, as one such circle.
fn circle(uses: &Uses) -> Option<Vec<String>> {
    fn visit(name: &str, uses: &Uses, path: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<Vec<String>> {
        if let Some(start) = path.iter().position(|visited| visited == name) {
            return Some(path[start..].to_vec());
        }
        if !done.insert(name.to_owned()) {
            return None;
        }
        path.push(name.to_owned());
        let circle = uses.get(name)?.iter().find_map(|used| visit(used, uses, path, done));
        path.pop();
        circle
    }
    let mut done = BTreeSet::new();
    uses.keys().find_map(|name| visit(name, uses, &mut Vec::new(), &mut done))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(list: &[(&str, &[&str])]) -> Uses {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        list.iter().map(|(name, used)| ((*name).to_owned(), set(used))).collect()
    }

    #[test]
    fn every_module_is_in_the_table_once() {
        let table = table(&sources()["main"]);
        let listed: Vec<_> = table.iter().flatten().cloned().collect();
        let modules: BTreeSet<_> = sources()
            .keys()
            .map(|name| name.split("::").next().unwrap().to_owned())
            .filter(|it| it != "main")
            .collect();
        assert_eq!(listed.len(), modules.len(), "a module is listed twice or not at all");
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), modules);
    }

    #[test]
    fn every_module_uses_only_lower_layers() {
        let sources = sources();
        let found = find_uses(&sources);
        assert!(found["startup"].contains("servers::lifecycle"), "uses are not found: {found:?}");
        let violations = violations(&table(&sources["main"]), &found);
        assert!(violations.is_empty(), "not allowed by the table of layers in main.rs: {}", violations.join(", "));
    }

    #[test]
    fn no_files_use_each_other_in_a_circle() {
        assert_eq!(circle(&find_uses(&sources())), None);
    }

    #[test]
    fn an_arrow_to_a_higher_or_the_same_layer_is_a_violation() {
        let table = table("//! | basics | `error` |\n//! | parts | `api`, `functions` |\n");
        assert_eq!(violations(&table, &uses(&[("api", &["error"]), ("main", &["api"])])), Vec::<String>::new());
        assert_eq!(violations(&table, &uses(&[("error", &["api"])])), ["`error` uses `api`"]);
        assert_eq!(violations(&table, &uses(&[("api", &["functions"])])), ["`api` uses `functions`"]);
        assert_eq!(violations(&table, &uses(&[("unlisted", &["error"])])), ["`unlisted` uses `error`"]);
    }

    #[test]
    fn a_circle_of_three_files_is_found() {
        let found = circle(&uses(&[("a", &["b"]), ("b", &["c", "d"]), ("c", &["a"]), ("d", &[])]));
        assert_eq!(found, Some(vec!["a".into(), "b".into(), "c".into()]));
    }

    #[test]
    fn grouped_and_nested_paths_are_read() {
        let mut found = paths("{a::{self, b}, c, d::E,\n}; use std::fs;");
        found.sort();
        assert_eq!(found, ["a::b", "a::self", "c", "d::E"]);
        assert_eq!(paths("ports::Ports) -> u16"), ["ports::Ports"]);
    }
}
