//! The settings that a deployment may choose: their bounds in the template, and their reasons in `infra/production.md`.

use std::{fs, time::Duration};

use measure_usage::batch::CONCURRENCY;
use serde_json::Value;
use shared::{config::SETTINGS, http::DEADLINE, usage::measuring::TENANTS_PER_MESSAGE};
use tests::{manifests::repository, template};

fn parameter(template: &Value, name: &str, key: &str) -> u64 {
    template["Parameters"][name][key].as_u64().unwrap_or_else(|| panic!("{name} has no {key}"))
}

#[test]
fn with_the_longest_timeouts_of_postgresql_a_function_still_answers_before_its_deadline() {
    let template = template::read();
    let longest: u64 = ["PostgresConnectTimeoutMs", "PostgresStatementTimeoutMs"]
        .map(|name| parameter(&template, name, "MaxValue"))
        .into_iter()
        .sum();
    assert!(Duration::from_millis(longest) < DEADLINE, "{longest} ms");
}

#[test]
fn with_the_longest_timeout_of_a_measurement_a_batch_still_fits_into_the_function() {
    let template = template::read();
    let functions = template::functions(&template);
    let (_, function) = functions.iter().find(|(name, _)| name == "measure-usage").unwrap();
    let messages = usize::try_from(function["Events"]["Queue"]["Properties"]["BatchSize"].as_u64().unwrap()).unwrap();
    let rounds = u64::try_from((messages * TENANTS_PER_MESSAGE).div_ceil(CONCURRENCY)).unwrap();
    let longest = Duration::from_millis(rounds * parameter(&template, "MeasureTenantTimeoutMs", "MaxValue"));
    let timeout = template["Mappings"]["Timing"]["MeasureUsage"]["FunctionTimeout"].as_u64().unwrap();
    assert!(longest < Duration::from_secs(timeout), "{longest:?}");
}

#[test]
fn the_guide_to_production_names_the_defaults_of_the_template() {
    let template = template::read();
    let guide = fs::read_to_string(repository().join("infra/production.md")).unwrap();
    let (_, settings) = guide.split_once("## Settings").unwrap();
    let (settings, _) = settings.split_once("\n## ").unwrap();
    let mut compared = 0;
    for row in settings.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let names = cells[0].split('`').skip(1).step_by(2);
        // Values are separated by a comma and a space; thousands by a comma alone.
        for (name, value) in names.zip(cells[1].split(", ")) {
            let value: u64 = value.replace(',', "").parse().unwrap_or_else(|_| panic!("{name}: {value}"));
            assert_eq!(parameter(&template, name, "Default"), value, "{name}");
            compared += 1;
        }
    }
    let documented = settings.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let (names, _) = line.split_once(" | ").unwrap();
        names.matches('`').count() / 2
    });
    assert_eq!(compared, documented.sum::<usize>(), "a setting has no value");
}

/// Otherwise `GET /settings` would show another value than the one that applies.
#[test]
fn the_function_that_shows_the_settings_has_the_value_of_every_setting_that_another_one_has() {
    let template = template::read();
    let variables = |properties: &Value| properties["Environment"]["Variables"].clone();
    let common = variables(&template["Globals"]["Function"]);
    let functions = template::functions(&template);
    let (_, reader) = functions.iter().find(|(name, _)| name == "get-settings").unwrap();
    let reader = variables(reader);
    for setting in SETTINGS {
        let shown = if reader[setting.name].is_null() { &common[setting.name] } else { &reader[setting.name] };
        assert!(!shown.is_null(), "get-settings has no {}", setting.name);
        for (name, properties) in &functions {
            let value = &variables(properties)[setting.name];
            assert!(value.is_null() || value == shown, "{name} has another {}: {value}, and not {shown}", setting.name);
        }
    }
}

#[test]
fn every_retention_that_a_function_has_is_a_setting_that_the_api_shows() {
    let template = template::read();
    for (name, properties) in template::functions(&template) {
        let variables = properties["Environment"]["Variables"].as_object().into_iter().flat_map(serde_json::Map::keys);
        for variable in variables.filter(|variable| variable.ends_with("_RETENTION_DAYS")) {
            let is_shown = SETTINGS.iter().any(|setting| setting.name == variable);
            assert!(is_shown, "{name} has {variable}, which GET /settings does not show");
        }
    }
}
