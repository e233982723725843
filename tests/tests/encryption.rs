//! Connections to stores refuse a server that does not prove who it is, and each error says what was wrong. The library that encrypts
//! them needs no time to start.

use std::{env, path::PathBuf, process::Command, time::Duration};

use reqwest::Url;
use secrecy::SecretString;
use shared::{
    clients::{kafka, mongo::MongoServer, postgres::Postgres, redis::Redis, s3::Bucket, tls_problem},
    config::{FromEnv, KafkaConfig, MongoSettings, PostgresConfig, RedisConfig, S3Config},
    error::{Error, Result},
};
use tests::{certificates::TestAuthority, proxy::Proxy, variable};

const UNKNOWN_ISSUER: &str = "no trusted authority issued the server's certificate";
const WRONG_NAME: &str = "the server's certificate is for another host name";
const NO_TLS: &str = "the server does not speak TLS";

/// A store that functions connect to.
#[derive(Debug, Clone, Copy)]
enum Store {
    PostgreSql,
    MongoDb,
    Redis,
    Kafka,
    S3,
}

impl Store {
    const ALL: [Self; 5] = [Self::PostgreSql, Self::MongoDb, Self::Redis, Self::Kafka, Self::S3];

    /// `host:port` of the real server.
    fn address(self) -> String {
        let url = match self {
            Self::PostgreSql => variable("POSTGRES_API_URL"),
            Self::MongoDb => variable("MONGODB_URL"),
            Self::Redis => variable("REDIS_URL"),
            Self::Kafka => return variable("KAFKA_BROKERS"),
            Self::S3 => variable("AWS_ENDPOINT_URL_S3"),
        };
        let url = Url::parse(&url).unwrap();
        format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())
    }

    /// Connects to an address as the functions do, and makes the smallest request.
    async fn reach(self, address: &str, authority: &str) -> Result<()> {
        let ca_file = Some(PathBuf::from(authority));
        let (host, port) = address.rsplit_once(':').unwrap();
        let at = |name: &str, removed: &[&str]| {
            let mut url = Url::parse(&variable(name)).unwrap();
            url.set_host(Some(host)).unwrap();
            url.set_port(Some(port.parse().unwrap())).unwrap();
            let kept: Vec<_> = url.query_pairs().filter(|(name, _)| !removed.contains(&&**name)).collect();
            let kept: Vec<_> = kept.iter().map(|(name, value)| format!("{name}={value}")).collect();
            url.set_query(Some(&kept.join("&")));
            SecretString::from(String::from(url))
        };
        match self {
            Self::PostgreSql => {
                let url = at("POSTGRES_API_URL", &["sslrootcert"]);
                let config = PostgresConfig { ca_file, ..PostgresConfig::new(url) };
                Postgres::connect(&config).unwrap().get().await.map(drop)
            }
            Self::MongoDb => {
                let settings = MongoSettings { ca_file, timeout: Duration::from_secs(2) };
                let url = at("MONGODB_URL", &["tlsCAFile", "replicaSet"]);
                let client = MongoServer::new(&url, &settings).unwrap().connect().await?;
                client.database("admin").run_command(mongodb::bson::doc! { "ping": 1 }).await?;
                Ok(())
            }
            Self::Redis => {
                let config = RedisConfig { url: at("REDIS_URL", &[]), ca_file, ..RedisConfig::from_env().unwrap() };
                let pong: String = Redis::connect(&config).unwrap().query(&redis::cmd("PING")).await?;
                assert_eq!(pong, "PONG");
                Ok(())
            }
            Self::Kafka => {
                let brokers = address.to_owned();
                let config = KafkaConfig { brokers, ca_file, ..KafkaConfig::from_env().unwrap() };
                kafka::blocking(move || {
                    let client = kafka::observer(&config)?;
                    kafka::fetch_topic(&client, &config.topic, Duration::from_secs(2)).map(drop)
                })
                .await
            }
            Self::S3 => {
                let config = S3Config { ca_file, ..S3Config::from_env().unwrap() };
                let attempts = shared::clients::aws::Attempts {
                    endpoint: Some(format!("https://{address}")),
                    ..shared::clients::aws::Attempts::new(Duration::from_secs(2), 1)
                };
                let bucket = Bucket::with(&config, attempts).unwrap();
                bucket.client().await.head_bucket().bucket(&bucket.name).send().await.map(drop).map_err(Error::from)
            }
        }
    }
}

fn refused(store: Store, result: Result<()>, expected: &str) {
    let error = result.expect_err(&format!("{store:?}: {expected}"));
    let problem = tls_problem(&error).unwrap_or_else(|| panic!("{store:?}: {}", error.chain()));
    // librdkafka does not distinguish an unknown authority from another host name.
    let of_kafka = matches!(store, Store::Kafka) && [UNKNOWN_ISSUER, WRONG_NAME].contains(&expected);
    let expected = if of_kafka {
        "no trusted authority issued the server's certificate, or it is for another host name"
    } else {
        expected
    };
    assert_eq!(problem, expected, "{store:?}: {}", error.chain());
}

/// The authority of the local servers.
fn local_authority() -> String {
    variable("REDIS_CA_FILE")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_valid_certificate_is_accepted() {
    for store in Store::ALL {
        store
            .reach(&store.address(), &local_authority())
            .await
            .unwrap_or_else(|error| panic!("{store:?}: {}", error.chain()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_refused() {
    let file = std::env::temp_dir().join(format!("landlord-test-{}.pem", uuid::Uuid::now_v7()));
    std::fs::write(&file, TestAuthority::new().pem).unwrap();
    for store in Store::ALL {
        refused(store, store.reach(&store.address(), file.to_str().unwrap()).await, UNKNOWN_ISSUER);
    }
    std::fs::remove_file(file).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_host_is_refused() {
    for store in Store::ALL {
        // Another address of this machine, which the certificate is not for.
        let proxy = Proxy::at("127.0.0.2", &store.address()).await;
        refused(store, store.reach(&proxy.address, &local_authority()).await, WRONG_NAME);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_offers_plaintext_is_refused() {
    for store in Store::ALL {
        let address = tests::proxy::plaintext_server().await;
        refused(store, store.reach(&address, &local_authority()).await, NO_TLS);
    }
}

#[test]
fn an_authority_that_has_expired_is_refused_at_the_start() {
    let file = std::env::temp_dir().join(format!("landlord-test-{}.pem", uuid::Uuid::now_v7()));
    std::fs::write(&file, TestAuthority::expired().pem).unwrap();
    let ca_file = Some(file.clone());
    let postgres =
        PostgresConfig { ca_file: ca_file.clone(), ..PostgresConfig::new("postgres://a:b@c/d?sslmode=require") };
    let redis = RedisConfig { url: "rediss://c".into(), ca_file: ca_file.clone(), timeout: Duration::from_secs(1) };
    let mongo = MongoSettings { ca_file: ca_file.clone(), timeout: Duration::from_secs(1) };
    let broker = KafkaConfig { ca_file: ca_file.clone(), ..KafkaConfig::from_env().unwrap() };
    let s3 = S3Config { ca_file, ..S3Config::from_env().unwrap() };
    for (name, error) in [
        ("POSTGRES_CA_FILE", Postgres::connect(&postgres).err()),
        ("REDIS_CA_FILE", Redis::connect(&redis).err()),
        ("MONGODB_CA_FILE", MongoServer::new(&"mongodb://c/?tls=true".into(), &mongo).err()),
        ("KAFKA_CA_FILE", kafka::check(&broker).err()),
        ("AWS_CA_BUNDLE", Bucket::connect(&s3).err()),
    ] {
        let error = error.unwrap_or_else(|| panic!("{name} is accepted")).to_string();
        assert!(error.contains(name) && error.contains("every certificate in it has expired"), "{error}");
    }
    std::fs::remove_file(file).unwrap();
}

/// AWS-LC would measure the jitter of the processor for 30 ms, in each process. What this program is linked with is what functions are.
#[test]
fn the_first_random_number_of_a_process_waits_for_no_measurement() {
    let program = env::current_exe().unwrap();
    // Joined here, because this program contains its own texts.
    let links = |words: [&str; 2]| {
        let found = Command::new("grep").args(["--quiet", "--fixed-strings", &words.join("_")]).arg(&program).status();
        found.unwrap().success()
    };
    assert!(links(["RAND", "bytes"]), "the names of functions can be found");
    assert!(!links(["jent", "read"]), "the random numbers of AWS-LC are compiled with the measurement");
}
