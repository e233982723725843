//! The functions' environment, and the developer's own servers that this process's environment names.

use std::{collections::BTreeMap, env, fs, path::Path};

use crate::{
    checkout::{Checkout, write_file},
    error::{ErrorContext, Result},
    ports::Ports,
    secrets::Secrets,
    services,
};

/// The region that S3 and SQS report.
pub(crate) const REGION: &str = "us-east-1";
pub(crate) const BUCKET: &str = "landlord";
/// The Kafka topic of tenant events.
pub(crate) const TOPIC: &str = "platform.tenant-events";
/// The access key of the local MinIO.
pub(crate) const ACCESS_KEY: &str = "landlord";
/// The user of the local Kafka.
pub(crate) const KAFKA_USER: &str = "landlord";
pub(crate) const FIRST_ADMIN_EMAIL: &str = "owner@landlord.example";
/// The account in the queues' URLs.
const ACCOUNT: &str = "000000000000";

/// Variables that name a server of the developer's own, each with the variables that describe the same server.
const SERVER_VARIABLES: [(&str, &[&str]); 10] = [
    ("POSTGRES_URL", &["POSTGRES_API_URL", "POSTGRES_PROVISIONER_URL", "POSTGRES_CA_FILE"]),
    ("MONGODB_URL", &["MONGODB_CA_FILE"]),
    ("REDIS_URL", &["REDIS_CA_FILE"]),
    (
        "KAFKA_BROKERS",
        &[
            "KAFKA_TOPIC",
            "KAFKA_SECURITY_PROTOCOL",
            "KAFKA_CA_FILE",
            "KAFKA_SASL_MECHANISM",
            "KAFKA_SASL_USERNAME",
            "KAFKA_SASL_PASSWORD",
        ],
    ),
    (
        "AWS_ENDPOINT_URL_S3",
        &[
            "S3_BUCKET",
            "S3_FORCE_PATH_STYLE",
            "AWS_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_CA_BUNDLE",
        ],
    ),
    ("AWS_ENDPOINT_URL_SQS", &["PROVISION_QUEUE_URL", "RELAY_QUEUE_URL", "MEASURE_QUEUE_URL"]),
    (services::ALL[0].variable, &[]),
    (services::ALL[1].variable, &[]),
    (services::ALL[2].variable, &[]),
    (services::ALL[3].variable, &[]),
];

/// Servers of the developer's own that are used instead of local ones, as variables.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct ExternalServers(BTreeMap<String, String>);

impl ExternalServers {
    /// Reads this process's environment.
    pub(crate) fn from_environment(ports: &Ports) -> Self {
        Self::select(
            &env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect(),
            ports,
        )
    }

    fn select(variables: &BTreeMap<String, String>, ports: &Ports) -> Self {
        // After `export $(cargo dev env)` the environment contains the local servers' addresses. Those are not external.
        let external = |name: &str| variables.get(name).filter(|value| !value.is_empty() && !ports.occur_in(value));
        let mut servers = BTreeMap::new();
        for (name, companions) in SERVER_VARIABLES {
            if let Some(value) = external(name) {
                servers.insert(name.to_owned(), value.clone());
                let companions =
                    companions.iter().filter_map(|name| Some(((*name).to_owned(), external(name)?.clone())));
                servers.extend(companions);
            }
        }
        Self(servers)
    }

    /// The servers that the last `up` used.
    pub(crate) fn load(checkout: &Checkout) -> Self {
        let text = fs::read_to_string(checkout.local("secrets/external-servers.json")).unwrap_or_default();
        Self(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Saves them for the commands after `up`. The file is among the secrets, because a URL may contain a password.
    pub(crate) fn save(&self, checkout: &Checkout) -> Result<()> {
        let text = serde_json::to_string(&self.0).context(|| "The environment cannot be saved".into())?;
        write_file(&checkout.local("secrets/external-servers.json"), &text)
    }

    /// What describes external servers and is not among `variables`, and the permission to reach these servers without TLS,
    /// which a developer's own servers may not speak.
    fn others(&self, variables: &[(String, String)]) -> Vec<(String, String)> {
        let known = |name: &str| variables.iter().any(|(variable, _)| variable == name);
        let mut others: Vec<_> =
            self.0.iter().filter(|(name, _)| !known(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
        let stores = [
            ("POSTGRES_URL", "POSTGRES_URL"),
            ("MONGODB_URL", "MONGODB_URL"),
            ("REDIS_URL", "REDIS_URL"),
            ("KAFKA_BROKERS", "KAFKA_SECURITY_PROTOCOL"),
            ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_S3"),
        ];
        let external = stores.into_iter().filter(|(server, _)| self.get(server).is_some());
        let allowed: Vec<_> = external.map(|(_, variable)| variable).collect();
        if !allowed.is_empty() {
            others.push(("PLAINTEXT_ALLOWED".to_owned(), allowed.join(",")));
        }
        others
    }

    /// The value of a variable that describes an external server.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Every variable that the functions read, in the order of `cargo dev env`. `authority` is the file of the certificate authority
/// of the local servers.
pub(crate) fn variables(
    ports: &Ports,
    secrets: &Secrets,
    authority: &Path,
    external: &ExternalServers,
) -> Vec<(String, String)> {
    let Secrets { mongo, redis, .. } = secrets;
    let authority = authority.display().to_string();
    // In a URL, a slash in the path could be taken for the one before the name of the database.
    let encoded_authority = percent_encode(&authority);
    let postgres = |role: &str, password: &str| {
        let server = format!("postgres://{role}:{password}@127.0.0.1:{}/landlord", ports.postgres());
        format!("{server}?sslmode=verify-full&sslrootcert={encoded_authority}")
    };
    let choose = |name: &str, local: String| external.get(name).map_or(local, ToOwned::to_owned);
    let platform = choose("POSTGRES_URL", postgres("landlord", &secrets.postgres));
    // An external PostgreSQL may have one role only, which is then used for every purpose.
    let role = |name: &str, local: String| match external.get("POSTGRES_URL") {
        Some(_) => choose(name, platform.clone()),
        None => local,
    };
    let sqs = choose("AWS_ENDPOINT_URL_SQS", format!("http://127.0.0.1:{}", ports.elasticmq()));
    let identity_provider = |path: &str| format!("http://127.0.0.1:{}{path}", ports.identity_provider());
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
            choose(
                "MONGODB_URL",
                format!(
                    "mongodb://landlord:{mongo}@127.0.0.1:{}/?replicaSet=rs0&tls=true&tlsCAFile={encoded_authority}",
                    ports.mongo()
                ),
            ),
        ),
        ("REDIS_URL", choose("REDIS_URL", format!("rediss://default:{redis}@127.0.0.1:{}", ports.redis()))),
        ("KAFKA_BROKERS", choose("KAFKA_BROKERS", format!("127.0.0.1:{}", ports.kafka()))),
        ("KAFKA_TOPIC", choose("KAFKA_TOPIC", TOPIC.into())),
        ("S3_BUCKET", choose("S3_BUCKET", BUCKET.into())),
        ("S3_FORCE_PATH_STYLE", choose("S3_FORCE_PATH_STYLE", "true".into())),
        ("AWS_REGION", choose("AWS_REGION", REGION.into())),
        ("AWS_ACCESS_KEY_ID", choose("AWS_ACCESS_KEY_ID", ACCESS_KEY.into())),
        ("AWS_SECRET_ACCESS_KEY", choose("AWS_SECRET_ACCESS_KEY", secrets.minio.clone())),
        ("AWS_ENDPOINT_URL_S3", choose("AWS_ENDPOINT_URL_S3", format!("https://127.0.0.1:{}", ports.minio()))),
        ("AWS_ENDPOINT_URL_SQS", sqs.clone()),
        ("PROVISION_QUEUE_URL", choose("PROVISION_QUEUE_URL", queue("provision-tenant"))),
        ("RELAY_QUEUE_URL", choose("RELAY_QUEUE_URL", queue("relay-events"))),
        ("MEASURE_QUEUE_URL", choose("MEASURE_QUEUE_URL", queue("measure-usage"))),
        ("JWT_ISSUER", "landlord".into()),
        ("JWT_AUDIENCE", "landlord-super-admin".into()),
        ("JWT_PUBLIC_KEYS", secrets.jwt.public_keys.clone()),
        ("JWT_SIGNING_KEY", secrets.jwt.signing_key.clone()),
        ("JWT_SIGNING_KEY_ID", secrets.jwt.id.clone()),
        ("OIDC_ISSUER", identity_provider("")),
        ("OIDC_AUDIENCE", "landlord-super-admin".into()),
        ("OIDC_JWKS_URL", identity_provider("/keys")),
        ("OIDC_CLIENT_ID", "landlord-console".into()),
        ("OIDC_AUTHORIZATION_URL", identity_provider("/authorize")),
        ("OIDC_TOKEN_URL", identity_provider("/token")),
        ("IMPERSONATION_AUDIENCE", "landlord-platform".into()),
        ("IMPERSONATION_PUBLIC_KEYS", secrets.impersonation.public_keys.clone()),
        ("IMPERSONATION_SIGNING_KEY", secrets.impersonation.signing_key.clone()),
        ("IMPERSONATION_SIGNING_KEY_ID", secrets.impersonation.id.clone()),
        ("IDEMPOTENCY_SECRET", secrets.idempotency.clone()),
        ("SERVICE_LOGIN_KEY", secrets.service_logins.clone()),
        ("FIRST_ADMIN_EMAIL", FIRST_ADMIN_EMAIL.into()),
        ("FIRST_ADMIN_PASSWORD", secrets.first_admin_password.clone()),
        ("PROVISION_FUNCTION_TIMEOUT_SECONDS", "20".into()),
        ("MEASURE_FUNCTION_TIMEOUT_SECONDS", "20".into()),
        ("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true".into()),
        ("LOG_FORMAT", "text".into()),
    ];
    let health = services::ALL.map(|service| {
        let local = format!("http://127.0.0.1:{}/health", service.port(ports));
        (service.variable, choose(service.variable, local))
    });
    // What describes how a local server is reached, and belongs to no other server.
    let local = [
        ("REDIS_URL", "REDIS_CA_FILE", authority.as_str()),
        ("KAFKA_BROKERS", "KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
        ("KAFKA_BROKERS", "KAFKA_CA_FILE", &authority),
        ("KAFKA_BROKERS", "KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
        ("KAFKA_BROKERS", "KAFKA_SASL_USERNAME", KAFKA_USER),
        ("KAFKA_BROKERS", "KAFKA_SASL_PASSWORD", &secrets.kafka),
        ("AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE", &authority),
    ];
    let local = local
        .into_iter()
        .filter(|(server, _, _)| external.get(server).is_none())
        .map(|(_, name, value)| (name.to_owned(), value.to_owned()));
    let mut variables: Vec<_> =
        list.into_iter().chain(health).map(|(name, value)| (name.to_owned(), value)).chain(local).collect();
    variables.extend(external.others(&variables));
    variables
}

fn percent_encode(path: &str) -> String {
    path.bytes().fold(String::new(), |text, byte| {
        let plain = byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        text + &if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    })
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
            "kafka",
            "kafka_cluster",
            "idempotency",
            "service_logins",
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

    fn selected(variables: &[(&str, &str)]) -> ExternalServers {
        ExternalServers::select(&variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), &ports())
    }

    #[test]
    fn no_value_needs_quotes_after_the_expansion_of_a_command_or_in_an_environment_file() {
        for (name, value) in variables(&ports(), &secrets(), Path::new("/a/ca.pem"), &ExternalServers::default()) {
            assert!(!value.is_empty(), "{name}");
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@?=&%".contains(c);
            assert!(value.chars().all(plain), "{name}={value}");
        }
    }

    #[test]
    fn exported_addresses_of_the_local_stack_are_not_external_servers() {
        let exported = variables(&ports(), &secrets(), Path::new("/a/ca.pem"), &ExternalServers::default());
        assert_eq!(ExternalServers::select(&exported.into_iter().collect(), &ports()), ExternalServers::default());
    }

    #[test]
    fn an_external_server_is_passed_on_with_its_companion_variables() {
        let external = selected(&[
            ("AWS_ENDPOINT_URL_S3", "https://s3.example"),
            ("AWS_ACCESS_KEY_ID", "external"),
            ("POSTGRES_URL", "postgres://me@db.example/landlord"),
            ("REDIS_URL", ""),
        ]);
        let all: BTreeMap<_, _> =
            variables(&ports(), &secrets(), Path::new("/a/ca.pem"), &external).into_iter().collect();
        assert_eq!(all["AWS_ENDPOINT_URL_S3"], "https://s3.example");
        assert_eq!(all["AWS_ACCESS_KEY_ID"], "external");
        assert_eq!(all["POSTGRES_API_URL"], "postgres://me@db.example/landlord");
        assert!(all["REDIS_URL"].ends_with("@127.0.0.1:17403"));
        assert_eq!(all["REDIS_CA_FILE"], "/a/ca.pem");
        assert!(!all.contains_key("AWS_CA_BUNDLE"), "the local authority is not for another server");
        assert_eq!(all["PLAINTEXT_ALLOWED"], "POSTGRES_URL,AWS_ENDPOINT_URL_S3");
    }

    #[test]
    fn credentials_without_an_address_do_not_name_a_server() {
        assert_eq!(selected(&[("AWS_ACCESS_KEY_ID", "external"), ("S3_BUCKET", "other")]), ExternalServers::default());
    }
}
