//! The settings in `samconfig.toml` against the conditions under which CloudFormation accepts the parameters of the template.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};
use tests::{manifests::repository, template};

type Parameters = BTreeMap<String, String>;

/// Real values for everything that `samconfig.toml` leaves to be filled in.
const FILLED_IN: [(&str, &str); 4] = [
    ("SubnetIds", "subnet-0a1b2c3d4e5f60718,subnet-0a1b2c3d4e5f60719"),
    ("SecurityGroupIds", "sg-0a1b2c3d4e5f60718"),
    ("AlarmTopicArn", "arn:aws:sns:eu-central-1:123456789012:alarms"),
    ("KafkaBrokers", "b-1.landlord.x1y2z3.c2.kafka.eu-central-1.amazonaws.com:9096,b-2.example.com:9096"),
];

/// The parameters with which `sam deploy --config-env NAME` deploys.
fn configured(environment: &str) -> Parameters {
    let settings: toml::Table = fs::read_to_string(repository().join("samconfig.toml")).unwrap().parse().unwrap();
    let overrides = settings[environment]["deploy"]["parameters"]["parameter_overrides"].as_array().unwrap();
    let pairs = overrides.iter().map(|setting| setting.as_str().unwrap().split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn filled_in(environment: &str) -> Parameters {
    let mut parameters = configured(environment);
    parameters.extend(FILLED_IN.map(|(name, value)| (name.to_owned(), value.to_owned())));
    parameters
}

/// Why CloudFormation refuses to deploy with these parameters: each the name of a parameter, or the text of an assertion.
fn objections(parameters: &Parameters) -> Vec<String> {
    let template = template::read();
    let declared = template["Parameters"].as_object().unwrap();
    let mut objections: Vec<String> = parameters
        .keys()
        .filter(|name| !declared.contains_key(*name))
        .map(|name| format!("{name} is unknown"))
        .collect();
    let mut values = BTreeMap::new();
    for (name, declaration) in declared {
        let Some(value) = parameters.get(name).cloned().or_else(|| default(declaration)) else {
            objections.push(name.clone());
            continue;
        };
        let value = match declaration["Type"].as_str().unwrap() {
            "CommaDelimitedList" => json!(value.split(',').collect::<Vec<_>>()),
            _ => json!(value),
        };
        if !members(&value).iter().all(|member| is_allowed(member, declaration)) {
            objections.push(name.clone());
        }
        values.insert(name.as_str(), value);
    }
    // Rules are evaluated when each parameter has an allowed value.
    if !objections.is_empty() {
        return objections;
    }
    for rule in template["Rules"].as_object().into_iter().flat_map(serde_json::Map::values) {
        if rule.get("RuleCondition").is_some_and(|condition| !holds(condition, &values)) {
            continue;
        }
        let broken =
            rule["Assertions"].as_array().unwrap().iter().filter(|assertion| !holds(&assertion["Assert"], &values));
        objections.extend(broken.map(|assertion| assertion["AssertDescription"].as_str().unwrap().to_owned()));
    }
    objections
}

fn default(declaration: &Value) -> Option<String> {
    match &declaration["Default"] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn members(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

fn is_allowed(value: &Value, declaration: &Value) -> bool {
    let text = value.as_str().unwrap();
    let in_list = declaration["AllowedValues"].as_array().is_none_or(|allowed| {
        allowed.iter().any(|one| one.as_str().map_or_else(|| one.to_string(), ToOwned::to_owned) == text)
    });
    // CloudFormation compares the pattern with the whole value.
    let matches = declaration["AllowedPattern"]
        .as_str()
        .is_none_or(|pattern| jsonschema::is_valid(&json!({ "pattern": format!("^(?:{pattern})$") }), value));
    in_list && matches
}

/// Evaluates the condition of a rule.
fn holds(condition: &Value, values: &BTreeMap<&str, Value>) -> bool {
    let (function, arguments) = condition.as_object().unwrap().iter().next().unwrap();
    let argument = |position: usize| evaluate(&arguments[position], values);
    match function.as_str() {
        "Fn::Equals" => argument(0) == argument(1),
        "Fn::Not" => !holds(&arguments[0], values),
        "Fn::Or" => arguments.as_array().unwrap().iter().any(|one| holds(one, values)),
        "Fn::EachMemberEquals" => members(&argument(0)).iter().all(|member| *member == argument(1)),
        other => panic!("infra/template.yaml: unexpected function {other} in a rule"),
    }
}

fn evaluate(value: &Value, values: &BTreeMap<&str, Value>) -> Value {
    match value.get("Ref") {
        Some(name) => values[name.as_str().unwrap()].clone(),
        None => value.clone(),
    }
}

#[test]
fn the_configuration_of_prod_cannot_be_deployed_before_its_placeholders_are_replaced() {
    let as_they_are = objections(&configured("prod"));
    for (name, value) in FILLED_IN {
        assert!(as_they_are.iter().any(|objection| objection == name), "{name}: {as_they_are:?}");
        let mut but_one = filled_in("prod");
        but_one.insert(name.to_owned(), configured("prod")[name].clone());
        assert_eq!(objections(&but_one), [name], "only {name} is a placeholder, instead of {value}");
    }
    assert_eq!(objections(&filled_in("prod")), Vec::<String>::new());
}

#[test]
fn prod_is_never_deployed_outside_the_network_or_without_a_topic_for_alarms() {
    for (name, objection) in [
        ("SubnetIds", "In prod, SubnetIds must name the private subnets that reach the stores"),
        ("SecurityGroupIds", "In prod, SecurityGroupIds must be given"),
        ("AlarmTopicArn", "In prod, AlarmTopicArn must name the SNS topic that alarms notify"),
    ] {
        let mut parameters = filled_in("prod");
        parameters.remove(name);
        assert!(
            objections(&parameters).iter().any(|found| found == objection),
            "{name}: {:?}",
            objections(&parameters)
        );
        parameters.insert(name.to_owned(), String::new());
        assert!(objections(&parameters).iter().any(|found| found == objection), "{name} is empty");
    }
    assert_eq!(configured("prod")["Environment"], "prod");
    let mut without = filled_in("prod");
    without.remove("Environment");
    assert!(objections(&without).contains(&"Environment".to_owned()), "a deployment states its environment");
}

#[test]
fn dev_can_be_deployed_as_it_is_but_not_with_half_a_network_or_provider_nor_with_plaintext() {
    let dev = configured("dev");
    assert_eq!(objections(&dev), Vec::<String>::new());
    let with = |name: &str, value: &str| {
        let mut parameters = dev.clone();
        parameters.insert(name.to_owned(), value.to_owned());
        objections(&parameters)
    };
    for (name, value) in &FILLED_IN[..2] {
        assert_eq!(with(name, value), ["SubnetIds and SecurityGroupIds must be given together"], "{name}");
    }
    for protocol in ["plaintext", "sasl_plaintext"] {
        assert_eq!(with("KafkaSecurityProtocol", protocol), ["KafkaSecurityProtocol"]);
    }
    assert_eq!(with("KafkaSecret", ""), ["With the protocol sasl_ssl, KafkaSecret must be given"]);
    assert_eq!(
        with("OidcClientId", "console"),
        [
            "With OidcClientId, OidcIssuer must be given, and with it OidcAudience and OidcJwksUrl",
            "With OidcClientId, OidcAuthorizationUrl must be given",
            "With OidcClientId, OidcTokenUrl must be given",
        ]
    );
}
