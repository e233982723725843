//! What is seen from outside: metrics of the code, alarms and the dashboard of the template, and their documentation. And in which
//! order a release happens.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};
use shared::telemetry::metrics::{DIMENSION, Metric, NAMESPACE};
use tests::{manifests::repository, template};

/// The logical name and the properties of each alarm.
fn alarms(template: &Value) -> Vec<(&String, &Value)> {
    let resources = template["Resources"].as_object().unwrap().iter();
    let alarms = resources.filter(|(_, resource)| resource["Type"] == "AWS::CloudWatch::Alarm");
    alarms.map(|(name, resource)| (name, &resource["Properties"])).collect()
}

fn document(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

/// The metrics of the namespace that a part of the dashboard shows.
fn shown(part: &Value, names: &mut BTreeSet<String>) {
    let Some(members) = part.as_array() else {
        return part.as_object().into_iter().flat_map(serde_json::Map::values).for_each(|value| shown(value, names));
    };
    if let [namespace, name, ..] = members.as_slice()
        && namespace == NAMESPACE
    {
        names.insert(name.as_str().unwrap().to_owned());
    }
    for member in members {
        shown(member, names);
    }
}

#[test]
fn alarms_and_the_dashboard_use_the_metrics_of_the_code_and_all_of_them_are_documented() {
    let (template, documentation) = (template::read(), document("infra/monitoring.md"));
    let metrics: BTreeSet<String> = Metric::ALL.into_iter().map(Metric::name).collect();
    let mut used = BTreeSet::new();
    for (name, alarm) in alarms(&template) {
        if alarm["Namespace"] == NAMESPACE {
            assert_eq!(alarm["Dimensions"], json!([{ "Name": DIMENSION, "Value": "AWS::StackName" }]), "{name}");
            used.insert(alarm["MetricName"].as_str().unwrap().to_owned());
        }
    }
    let body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"].as_str().unwrap();
    let dashboard: Value = serde_json::from_str(body).unwrap();
    shown(&dashboard, &mut used);
    for (function, _) in template::functions(&template) {
        assert!(body.contains(&format!("${{AWS::StackName}}-{function}\"")), "the dashboard does not show {function}");
    }
    assert_eq!(used, metrics, "infra/template.yaml (left) and shared/src/telemetry/metrics.rs (right)");
    let undocumented: Vec<_> =
        metrics.iter().filter(|name| !documentation.contains(&format!("| `{name}` |"))).collect();
    assert!(undocumented.is_empty(), "infra/monitoring.md has no row for {undocumented:?}");
    let variables = &template["Globals"]["Function"]["Environment"]["Variables"];
    assert_eq!(variables["STACK_NAME"], "AWS::StackName", "the value of the dimension");
}

#[test]
fn each_alarm_notifies_fires_at_low_traffic_and_names_a_runbook() {
    let template = template::read();
    let (documentation, runbooks) = (document("infra/monitoring.md"), document("infra/README.md"));
    for (name, alarm) in alarms(&template) {
        let number = |property: &str| alarm[property].as_u64().unwrap_or_else(|| panic!("{name}: no {property}"));
        assert!(number("DatapointsToAlarm") <= number("EvaluationPeriods"), "{name}");
        assert!(
            number("DatapointsToAlarm") == 1 || number("DatapointsToAlarm") < number("EvaluationPeriods"),
            "{name}"
        );
        for actions in ["AlarmActions", "OKActions"] {
            assert_eq!(alarm[actions][1], json!(["AlarmTopicArn"]), "{name}: {actions}");
        }
        let is_silence = alarm["ComparisonOperator"] == "LessThanThreshold";
        assert_eq!(alarm["TreatMissingData"], if is_silence { "breaching" } else { "notBreaching" }, "{name}");
        let (_, runbook) = alarm["AlarmDescription"].as_str().unwrap().rsplit_once("Runbook: ").unwrap();
        assert!(runbooks.contains(&format!("\n### {runbook}\n")), "{name}: infra/README.md has no `{runbook}`");
        let short = alarm["AlarmName"].as_str().unwrap().strip_prefix("${AWS::StackName}-").unwrap();
        assert!(documentation.contains(&format!("`{short}`")), "{name}: infra/monitoring.md does not list `{short}`");
    }
}

#[test]
fn a_release_migrates_before_any_other_function_changes_and_alarms_roll_it_back() {
    let template = template::read();
    let globals = &template["Globals"]["Function"];
    assert_eq!([&globals["AutoPublishAlias"], &globals["Tracing"]], ["live", "Active"]);
    let preference = &globals["DeploymentPreference"];
    assert_eq!(preference["Type"], json!(["IsProd", "Canary10Percent5Minutes", "AllAtOnce"]));
    for alarm in preference["Alarms"].as_array().unwrap() {
        assert_eq!(template["Resources"][alarm.as_str().unwrap()]["Type"], "AWS::CloudWatch::Alarm");
    }
    for (name, resource) in template["Resources"].as_object().unwrap() {
        if resource["Type"] == "AWS::Serverless::Function" && name != "MigratePlatformFunction" {
            assert_eq!(resource["DependsOn"], "Migration", "infra/template.yaml: {name}");
        }
    }
    let migration = &template["Resources"]["Migration"]["Properties"];
    assert_eq!(migration["Release"], "MigratePlatformFunction.Version", "each version migrates");
    let timing = &template["Mappings"]["Timing"]["MigratePlatform"];
    assert!(timing["ReleaseTimeout"].as_u64() > timing["FunctionTimeout"].as_u64());
}
