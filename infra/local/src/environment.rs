//! The environment of the functions, and the servers that the developer named in it.

use std::{collections::BTreeMap, env, fs};

use crate::{
    checkout::{Checkout, write_whole},
    failure::{Attempt, Result},
    ports::Ports,
    secrets::Secrets,
    services,
};

/// Where S3 and SQS believe to be.
pub(crate) const REGION: &str = "us-east-1";
/// The one bucket.
pub(crate) const BUCKET: &str = "landlord";
/// The Kafka topic of tenant events.
pub(crate) const TOPIC: &str = "platform.tenant-events";
/// The access key of the local MinIO.
pub(crate) const ACCESS_KEY: &str = "landlord";
/// The first super-admin.
pub(crate) const FIRST_ADMIN_EMAIL: &str = "owner@landlord.example";
/// Account in the queues' URLs.
const ACCOUNT: &str = "000000000000";

/// The variables that, when set by the developer, stand for a server of theirs, and what goes with each.
const NAMEABLE: [(&str, &[&str]); 10] = [
    ("POSTGRES_URL", &["POSTGRES_API_URL", "POSTGRES_PROVISIONER_URL"]),
    ("MONGODB_URL", &[]),
    ("REDIS_URL", &[]),
    ("KAFKA_BROKERS", &["KAFKA_TOPIC"]),
    (
        "AWS_ENDPOINT_URL_S3",
        &[
            "S3_BUCKET",
            "S3_FORCE_PATH_STYLE",
            "AWS_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
        ],
    ),
    ("AWS_ENDPOINT_URL_SQS", &["PROVISION_QUEUE_URL", "RELAY_QUEUE_URL", "MEASURE_QUEUE_URL"]),
    (services::ALL[0].variable, &[]),
    (services::ALL[1].variable, &[]),
    (services::ALL[2].variable, &[]),
    (services::ALL[3].variable, &[]),
];

/// The servers that the developer named instead of ours.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Given(BTreeMap<String, String>);

impl Given {
    /// Reads them from this process's environment.
    pub(crate) fn read(ports: &Ports) -> Self {
        Self::pick(
            &env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect(),
            ports,
        )
    }

    fn pick(variables: &BTreeMap<String, String>, ports: &Ports) -> Self {
        // After `export $(cargo dev env)` our own addresses are in the environment: those are not somebody else's.
        let base = ports.postgres()..=ports.service(3);
        let ours = |value: &str| base.clone().any(|port| value.contains(&format!("127.0.0.1:{port}")));
        let named = |name: &str| variables.get(name).filter(|value| !value.is_empty() && !ours(value));
        let mut given = BTreeMap::new();
        for (name, companions) in NAMEABLE {
            if let Some(value) = named(name) {
                given.insert(name.to_owned(), value.clone());
                let companions = companions.iter().filter_map(|name| Some(((*name).to_owned(), named(name)?.clone())));
                given.extend(companions);
            }
        }
        Self(given)
    }

    /// What `up` was told last.
    pub(crate) fn load(checkout: &Checkout) -> Self {
        let text = fs::read_to_string(checkout.local("secrets/given.json")).unwrap_or_default();
        Self(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Remembers it for the commands that come after `up`. Such a URL may hold a password.
    pub(crate) fn keep(&self, checkout: &Checkout) -> Result<()> {
        let text = serde_json::to_string(&self.0).attempt(|| "The environment cannot be kept".into())?;
        write_whole(&checkout.local("secrets/given.json"), &text)
    }

    /// The value of such a variable, when its server is not ours.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Every variable that the functions read, in the order of `cargo dev env`.
pub(crate) fn variables(ports: &Ports, secrets: &Secrets, given: &Given) -> Vec<(String, String)> {
    let Secrets { mongo, redis, .. } = secrets;
    let postgres =
        |role: &str, password: &str| format!("postgres://{role}:{password}@127.0.0.1:{}/landlord", ports.postgres());
    let own = |name: &str, ours: String| given.get(name).map_or(ours, ToOwned::to_owned);
    let platform = own("POSTGRES_URL", postgres("landlord", &secrets.postgres));
    // Whoever brings a PostgreSQL of their own may well bring only one role.
    let role = |name: &str, ours: String| match given.get("POSTGRES_URL") {
        Some(_) => own(name, platform.clone()),
        None => ours,
    };
    let sqs = own("AWS_ENDPOINT_URL_SQS", format!("http://127.0.0.1:{}", ports.elasticmq()));
    let queue = |name: &str| format!("{}/{ACCOUNT}/{name}", sqs.trim_end_matches('/'));

    let list = [
        ("API_URL", format!("http://127.0.0.1:{}", ports.api())),
        ("POSTGRES_URL", platform.clone()),
        ("POSTGRES_API_URL", role("POSTGRES_API_URL", postgres("landlord_api_login", &secrets.postgres_api))),
        (
            "POSTGRES_PROVISIONER_URL",
            role("POSTGRES_PROVISIONER_URL", postgres("landlord_provisioner_login", &secrets.postgres_provisioner)),
        ),
        (
            "MONGODB_URL",
            own("MONGODB_URL", format!("mongodb://landlord:{mongo}@127.0.0.1:{}/?replicaSet=rs0", ports.mongo())),
        ),
        ("REDIS_URL", own("REDIS_URL", format!("redis://default:{redis}@127.0.0.1:{}", ports.redis()))),
        ("KAFKA_BROKERS", own("KAFKA_BROKERS", format!("127.0.0.1:{}", ports.kafka()))),
        ("KAFKA_TOPIC", own("KAFKA_TOPIC", TOPIC.into())),
        ("S3_BUCKET", own("S3_BUCKET", BUCKET.into())),
        ("S3_FORCE_PATH_STYLE", own("S3_FORCE_PATH_STYLE", "true".into())),
        ("AWS_REGION", own("AWS_REGION", REGION.into())),
        ("AWS_ACCESS_KEY_ID", own("AWS_ACCESS_KEY_ID", ACCESS_KEY.into())),
        ("AWS_SECRET_ACCESS_KEY", own("AWS_SECRET_ACCESS_KEY", secrets.minio.clone())),
        ("AWS_ENDPOINT_URL_S3", own("AWS_ENDPOINT_URL_S3", format!("http://127.0.0.1:{}", ports.minio()))),
        ("AWS_ENDPOINT_URL_SQS", sqs.clone()),
        ("PROVISION_QUEUE_URL", own("PROVISION_QUEUE_URL", queue("provision-tenant"))),
        ("RELAY_QUEUE_URL", own("RELAY_QUEUE_URL", queue("relay-events"))),
        ("MEASURE_QUEUE_URL", own("MEASURE_QUEUE_URL", queue("measure-usage"))),
        ("JWT_ISSUER", "landlord".into()),
        ("JWT_AUDIENCE", "landlord-super-admin".into()),
        ("JWT_PUBLIC_KEYS", secrets.jwt.public_keys.clone()),
        ("JWT_SIGNING_KEY", secrets.jwt.signing_key.clone()),
        ("JWT_SIGNING_KEY_ID", secrets.jwt.id.clone()),
        ("IMPERSONATION_AUDIENCE", "landlord-platform".into()),
        ("IMPERSONATION_PUBLIC_KEYS", secrets.impersonation.public_keys.clone()),
        ("IMPERSONATION_SIGNING_KEY", secrets.impersonation.signing_key.clone()),
        ("IMPERSONATION_SIGNING_KEY_ID", secrets.impersonation.id.clone()),
        ("IDEMPOTENCY_SECRET", secrets.idempotency.clone()),
        ("FIRST_ADMIN_EMAIL", FIRST_ADMIN_EMAIL.into()),
        ("FIRST_ADMIN_PASSWORD", secrets.first_admin_password.clone()),
        ("PROVISION_FUNCTION_TIMEOUT_SECONDS", "20".into()),
        ("PROVISION_MAX_ATTEMPTS", "5".into()),
        ("MEASURE_FUNCTION_TIMEOUT_SECONDS", "20".into()),
        ("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true".into()),
        ("LOG_FORMAT", "text".into()),
    ];
    let health = services::ALL.map(|service| {
        let ours = format!("http://127.0.0.1:{}/health", service.port(ports));
        (service.variable, own(service.variable, ours))
    });
    let session = given.get("AWS_SESSION_TOKEN").map(|token| ("AWS_SESSION_TOKEN", token.to_owned()));
    list.into_iter().chain(health).chain(session).map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports() -> Ports {
        serde_json::from_str(r#"{"base":17400}"#).unwrap()
    }

    fn secrets() -> Secrets {
        let fields = [
            "postgres_superuser",
            "postgres",
            "postgres_api",
            "postgres_provisioner",
            "mongo",
            "mongo_key",
            "redis",
            "minio",
            "kafka_cluster",
            "idempotency",
            "first_admin_password",
        ];
        let mut object: serde_json::Map<String, serde_json::Value> =
            fields.into_iter().map(|name| (name.to_owned(), "a_Z-9".into())).collect();
        for name in ["jwt", "impersonation"] {
            let key = serde_json::json!({"signing_key": "a_Z-9", "id": "a_Z-9", "public_keys": "a_Z-9"});
            object.insert(name.to_owned(), key);
        }
        serde_json::from_value(serde_json::Value::Object(object)).unwrap()
    }

    fn picked(variables: &[(&str, &str)]) -> Given {
        Given::pick(&variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), &ports())
    }

    #[test]
    fn no_value_needs_quoting_in_a_shell_or_an_environment_file() {
        for (name, value) in variables(&ports(), &secrets(), &Given::default()) {
            assert!(!value.is_empty(), "{name}");
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@?=".contains(c);
            assert!(value.chars().all(plain), "{name}={value}");
        }
    }

    #[test]
    fn our_own_addresses_exported_by_the_developer_are_not_somebody_elses_servers() {
        let exported = variables(&ports(), &secrets(), &Given::default());
        assert_eq!(Given::pick(&exported.into_iter().collect(), &ports()), Given::default());
    }

    #[test]
    fn a_server_that_the_developer_names_is_passed_on_with_what_goes_with_it() {
        let given = picked(&[
            ("AWS_ENDPOINT_URL_S3", "https://s3.example"),
            ("AWS_ACCESS_KEY_ID", "theirs"),
            ("POSTGRES_URL", "postgres://me@db.example/landlord"),
            ("REDIS_URL", ""),
        ]);
        let all: BTreeMap<_, _> = variables(&ports(), &secrets(), &given).into_iter().collect();
        assert_eq!(all["AWS_ENDPOINT_URL_S3"], "https://s3.example");
        assert_eq!(all["AWS_ACCESS_KEY_ID"], "theirs");
        assert_eq!(all["POSTGRES_API_URL"], "postgres://me@db.example/landlord");
        assert!(all["REDIS_URL"].ends_with("@127.0.0.1:17403"));
    }

    #[test]
    fn credentials_alone_do_not_name_a_server() {
        assert_eq!(picked(&[("AWS_ACCESS_KEY_ID", "theirs"), ("S3_BUCKET", "other")]), Given::default());
    }
}
