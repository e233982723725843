//! The database clusters on which tenants are placed.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::config::{ConfigError, encryption, optional, secret};

/// MongoDB recommends at most about 10,000 collections per replica set; a tenant has eight.
const DEFAULT_MAX_TENANTS: i64 = 10_000 / 8;

/// A server or replica set with databases of tenants.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The name in the tenants' rows. It never changes.
    pub name: String,
    /// The connection string of a role that may create databases.
    pub url: SecretString,
    /// The maximum number of tenants (default 1,250).
    #[serde(default = "default_max_tenants")]
    pub max_tenants: i64,
    /// Whether new tenants are placed on it.
    #[serde(default = "open")]
    pub open: bool,
    /// The variable that contains the URL, for errors.
    #[serde(skip)]
    pub variable: &'static str,
}

fn default_max_tenants() -> i64 {
    DEFAULT_MAX_TENANTS
}

fn open() -> bool {
    true
}

/// The clusters of one kind of store.
#[derive(Debug, Clone)]
pub struct Clusters(pub Vec<Cluster>);

impl Clusters {
    /// `POSTGRES_CLUSTERS`: a JSON array of `{"name", "url", "max_tenants"?, "open"?}`; unset, the server of
    /// `POSTGRES_URL` is the only one, named `main`.
    pub fn postgres_from_env() -> Result<Self, ConfigError> {
        Self::from_env("POSTGRES_CLUSTERS", "POSTGRES_URL", encryption::postgres_problem)
    }

    /// `MONGODB_CLUSTERS`: as `POSTGRES_CLUSTERS`; unset, the server of `MONGODB_URL` is the only one, named `main`.
    pub fn mongo_from_env() -> Result<Self, ConfigError> {
        Self::from_env("MONGODB_CLUSTERS", "MONGODB_URL", encryption::mongo_problem)
    }

    /// One cluster, named `main`.
    pub fn single(url: impl Into<SecretString>) -> Self {
        let (name, max_tenants) = ("main".to_owned(), DEFAULT_MAX_TENANTS);
        Self(vec![Cluster { name, url: url.into(), max_tenants, open: true, variable: "" }])
    }

    pub fn find(&self, name: &str) -> Option<&Cluster> {
        self.0.iter().find(|cluster| cluster.name == name)
    }

    fn from_env(
        list: &'static str,
        single: &'static str,
        problem: fn(&str) -> Option<&'static str>,
    ) -> Result<Self, ConfigError> {
        let text = optional(list);
        let (variable, mut clusters) = match &text {
            None => (single, Self::single(secret(single)?).0),
            Some(text) => (list, Self::parse(list, text)?),
        };
        for cluster in &mut clusters {
            cluster.variable = variable;
            encryption::require_tls(variable, problem(cluster.url.expose_secret()))?;
        }
        Ok(Self(clusters))
    }

    fn parse(list: &'static str, text: &str) -> Result<Vec<Cluster>, ConfigError> {
        let clusters: Vec<Cluster> = serde_json::from_str(text)
            .map_err(|error| ConfigError::invalid(list, format!("not a JSON array of clusters: {error}")))?;
        if clusters.is_empty() {
            return Err(ConfigError::invalid(list, "it contains no cluster"));
        }
        for (index, cluster) in clusters.iter().enumerate() {
            if clusters[..index].iter().any(|earlier| earlier.name == cluster.name) {
                return Err(ConfigError::invalid(list, format!("two clusters are named `{}`", cluster.name)));
            }
        }
        Ok(clusters)
    }
}
