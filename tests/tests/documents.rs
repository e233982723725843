//! The documents agree with the code: links, the table of variables, the table of functions, and limits of length.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::Value;
use shared::config::SETTINGS;
use tests::{
    is_set,
    manifests::{declarations, repository},
    template,
};

const MAX_README_WORDS: usize = 900;
const MAX_LINES: usize = 400;

/// Stores by the variable that contains their address.
const STORES: [(&str, &str); 6] = [
    ("POSTGRES_URL", "PostgreSQL"),
    ("POSTGRES_CLUSTERS", "tenants' PostgreSQL"),
    ("MONGODB_URL", "MongoDB"),
    ("S3_BUCKET", "object storage"),
    ("REDIS_URL", "Redis"),
    ("KAFKA_BROKERS", "Kafka"),
];

/// Where the generated table of functions/README.md is.
const TABLE_START: &str = "<!-- This table is generated: `cargo dev openapi` writes it. -->\n";
const TABLE_END: &str = "<!-- End of the generated table. -->\n";

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files of the repository with this extension, as paths below its root.
fn files(extension: &str) -> Vec<String> {
    fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_str().unwrap();
            // Build results, generated sources, the local stack's data, and packages.
            if name.starts_with('.') || ["assets", "generated", "node_modules", "target"].contains(&name) {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                collect(&path, extension, found);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(&repository(), extension, &mut found);
    let mut paths: Vec<String> =
        found.iter().map(|path| path.strip_prefix(repository()).unwrap().to_str().unwrap().to_owned()).collect();
    paths.sort();
    paths
}

/// The destinations of links, and the anchors of headings.
fn links_and_anchors(text: &str) -> (Vec<String>, BTreeSet<String>) {
    let (mut links, mut anchors) = (Vec::new(), BTreeSet::new());
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => links.push(dest_url.to_string()),
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                anchors.extend(heading.take().map(|title| anchor(&title)));
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            _ => {}
        }
    }
    (links, anchors)
}

/// The anchor that GitHub gives a heading: lower case, no punctuation, hyphens for spaces.
fn anchor(title: &str) -> String {
    let kept =
        title.to_lowercase().chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c)).collect::<String>();
    kept.replace(' ', "-")
}

#[test]
fn every_link_of_every_document_resolves() {
    let documents: BTreeMap<String, _> =
        files("md").into_iter().map(|path| (path.clone(), links_and_anchors(&read(&path)))).collect();
    let mut broken = Vec::new();
    for (path, (links, _)) in &documents {
        for link in links.iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = match target {
                "" => path.clone(),
                _ => normalized(&Path::new(path).parent().unwrap().join(target)),
            };
            let has_anchor = || documents.get(&file).is_some_and(|(_, anchors)| anchors.contains(anchor));
            if !repository().join(&file).exists() || !(anchor.is_empty() || has_anchor()) {
                broken.push(format!("{path}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

/// The path without `..`.
fn normalized(path: &Path) -> String {
    let mut parts = Vec::new();
    for part in path.iter().map(|part| part.to_str().unwrap()) {
        if part == ".." {
            parts.pop();
        } else if part != "." {
            parts.push(part);
        }
    }
    parts.join("/")
}

#[test]
fn the_root_readme_links_to_every_document() {
    let (links, _) = links_and_anchors(&read("README.md"));
    for document in files("md").iter().filter(|path| *path != "README.md") {
        assert!(links.iter().any(|link| link == document), "README.md has no link to {document}");
    }
}

#[test]
fn the_root_readme_is_short() {
    let words = read("README.md").split_whitespace().count();
    assert!(words <= MAX_README_WORDS, "README.md has {words} words; at most {MAX_README_WORDS}");
}

#[test]
fn no_source_file_or_document_is_long() {
    let long: Vec<String> = ["css", "js", "md", "py", "rs", "ts", "tsx"]
        .iter()
        .flat_map(|extension| files(extension))
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > MAX_LINES)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "more than {MAX_LINES} lines:\n{}", long.join("\n"));
}

/// The names of environment variables in the string literals of a text.
fn variables(text: &str) -> BTreeSet<String> {
    let is_variable = |literal: &&str| {
        literal.contains('_') && literal.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    text.split('"').filter(is_variable).map(ToOwned::to_owned).collect()
}

#[test]
fn the_configuration_table_lists_every_variable_of_config_and_no_other() {
    let sources = files("rs").into_iter().filter(|path| path.starts_with("shared/src/config/"));
    let config: BTreeSet<String> = sources.flat_map(|path| variables(&read(&path))).collect();
    assert!(config.len() > 50, "{config:?}");
    let document = read("infra/README.md");
    let (_, section) = document.split_once("\n## Configuration\n").expect("infra/README.md: ## Configuration");
    let section = section.split("\n## ").next().unwrap();
    let first_cells = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let listed: BTreeSet<String> = first_cells.flat_map(|cell| variables(&cell.replace('`', "\""))).collect();
    let missing: Vec<_> = config.difference(&listed).collect();
    let unknown: Vec<_> = listed.difference(&config).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "infra/README.md, Configuration: add {missing:?}; remove {unknown:?}, which shared/src/config does not read"
    );
}

#[test]
fn the_configuration_table_states_the_default_of_every_setting_that_the_api_shows() {
    let document = read("infra/README.md");
    for setting in SETTINGS {
        let row =
            document.lines().find(|line| line.starts_with("| `") && line.contains(&format!("`{}`", setting.name)));
        let row = row.unwrap_or_else(|| panic!("infra/README.md: no {}", setting.name));
        let Some(default) = setting.default else { continue };
        let grouped = |text: &str| text.replace(['`', ','], "");
        assert!(grouped(row).contains(default), "infra/README.md: {}: the default is {default}: {row}", setting.name);
    }
}

#[test]
fn every_variable_that_the_template_sets_is_read_by_config() {
    let config: BTreeSet<String> = files("rs")
        .into_iter()
        .filter(|path| path.starts_with("shared/src/config/"))
        .flat_map(|path| variables(&read(&path)))
        .collect();
    // Read by lambda_http, and by CloudFormation.
    let others = ["AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "SETTINGS_REVISION"];
    let template = template::read();
    let mut blocks: Vec<&Value> =
        template::functions(&template).into_iter().map(|(_, properties)| properties).collect();
    blocks.push(&template["Globals"]["Function"]);
    for name in
        blocks.iter().filter_map(|block| block["Environment"]["Variables"].as_object()).flat_map(|map| map.keys())
    {
        assert!(config.contains(name) || others.contains(&name.as_str()), "infra/template.yaml: no code reads {name}");
    }
}

#[test]
fn every_function_has_a_sample_event() {
    let functions: BTreeSet<String> = declarations().into_keys().collect();
    for name in &functions {
        let path = format!("tests/events/{name}.json");
        assert!(repository().join(&path).exists(), "{path} is missing; functions/README.md describes it");
    }
    for path in files("json").iter().filter(|path| path.starts_with("tests/events/")) {
        let name = Path::new(path).file_stem().unwrap().to_str().unwrap();
        assert!(functions.contains(name), "{path}: no function has this name");
    }
}

/// The table of functions, from the template.
fn table_of_functions() -> String {
    let template = template::read();
    let mut table = "| function | effect | triggers | stores |\n| --- | --- | --- | --- |\n".to_owned();
    let functions: BTreeMap<String, &Value> = template::functions(&template).into_iter().collect();
    for (name, properties) in functions {
        let effect = properties["Description"].as_str().unwrap_or_else(|| panic!("{name} has no Description"));
        let events = properties["Events"].as_object().into_iter().flat_map(serde_json::Map::values);
        let mut triggers: Vec<String> = events.map(|event| trigger(&template, event)).collect();
        triggers.sort();
        let triggers = if triggers.is_empty() { "each deployment".to_owned() } else { triggers.join(", ") };
        let variables = &properties["Environment"]["Variables"];
        let mut stores: Vec<&str> =
            STORES.iter().filter(|(variable, _)| variables.get(variable).is_some()).map(|(_, store)| *store).collect();
        if variables.as_object().is_some_and(|map| map.keys().any(|name| name.ends_with("_QUEUE_URL"))) {
            stores.push("SQS");
        }
        let stores = if stores.is_empty() { "none".to_owned() } else { stores.join(", ") };
        let row = format!("| [`{name}`]({name}) | {effect} | {triggers} | {stores} |\n");
        table.push_str(&row);
    }
    table
}

fn trigger(template: &Value, event: &Value) -> String {
    let properties = &event["Properties"];
    match event["Type"].as_str().unwrap() {
        "HttpApi" if template::is_default_route(event) => "requests without a route".to_owned(),
        "HttpApi" => format!("`{} {}`", properties["Method"].as_str().unwrap(), properties["Path"].as_str().unwrap()),
        "SQS" => {
            let resource = properties["Queue"].as_str().unwrap().trim_end_matches(".Arn");
            let name = template["Resources"][resource]["Properties"]["QueueName"].as_str().unwrap();
            format!("queue `{}`", name.trim_start_matches("${AWS::StackName}-"))
        }
        "ScheduleV2" if properties["ScheduleExpression"] == "rate(1 minute)" => "every minute".to_owned(),
        other => panic!("infra/template.yaml: describe the event {other} here: {event}"),
    }
}

#[test]
fn the_checked_in_table_of_functions_is_that_of_the_template() {
    let path = "functions/README.md";
    let document = read(path);
    let (before, rest) = document.split_once(TABLE_START).unwrap_or_else(|| panic!("{path}: no {TABLE_START}"));
    let (table, after) = rest.split_once(TABLE_END).unwrap_or_else(|| panic!("{path}: no {TABLE_END}"));
    let current = format!("\n{}\n", table_of_functions());
    if is_set("UPDATE_OPENAPI") {
        fs::write(repository().join(path), [before, TABLE_START, &current, TABLE_END, after].concat()).unwrap();
    } else {
        assert_eq!(table, current, "{path}: the table (left) is out of date; `cargo dev openapi` writes it");
    }
}

/// The guide with each code block that follows `<!-- FILE: NAME -->` replaced by that part of the file: from the line
/// `snippet: NAME` to the next one that begins or ends a snippet.
fn with_snippets(guide: &str) -> String {
    let mut blocks = guide.split("<!-- tests/services/");
    let mut filled = blocks.next().unwrap().to_owned();
    for block in blocks {
        let (reference, rest) = block.split_once(" -->\n").unwrap();
        let (file, name) = reference.split_once(": ").unwrap();
        let mut parts = rest.splitn(3, "```");
        let (language, after) =
            (parts.next().and(parts.next()).unwrap().lines().next().unwrap(), parts.next().unwrap());
        let source = read(&format!("tests/services/{file}"));
        let start = source.lines().skip_while(|line| !line.ends_with(&format!(" snippet: {name}"))).skip(1);
        let lines = start.take_while(|line| !line.contains("snippet")).collect::<Vec<_>>().join("\n");
        assert!(!lines.is_empty(), "{file} has no snippet {name}");
        let lines = lines.trim();
        filled.extend(["<!-- tests/services/", reference, " -->\n```", language, "\n", lines, "\n```", after]);
    }
    filled
}

#[test]
fn the_checked_in_guide_for_services_shows_the_tested_code() {
    let path = "infra/services.md";
    let guide = read(path);
    let current = with_snippets(&guide);
    if is_set("UPDATE_OPENAPI") {
        fs::write(repository().join(path), current).unwrap();
    } else {
        assert_eq!(guide, current, "{path}: a snippet (left) is out of date; `cargo dev openapi` writes it");
    }
}
