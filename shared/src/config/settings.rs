//! The settings of a deployment that are no secrets, for people who operate it: one table of their names, defaults and meanings.
//! It contains no addresses of stores and services, which would help an attacker.

use serde::Serialize;

use crate::config::optional;

keyword_enum!(
    /// What a setting is about.
    SettingGroup {
        /// Signing in, and tokens.
        SignIn = "sign_in",
        /// Impersonations.
        Impersonation = "impersonation",
        /// Limits of tenants and of requests.
        Limits = "limits",
        /// Measuring usage, and comparing stores.
        Measuring = "measuring",
        /// How long rows are kept.
        Retention = "retention",
        /// Probes of health.
        Health = "health",
        /// Connections to the stores.
        Connections = "connections",
        /// Events for other services.
        Events = "events",
    }
);

/// A setting that is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What applies if it is not set. `None`: nothing.
    pub default: Option<&'static str>,
    pub group: SettingGroup,
    pub meaning: &'static str,
}

const fn setting(
    name: &'static str,
    default: Option<&'static str>,
    group: SettingGroup,
    meaning: &'static str,
) -> Setting {
    Setting { name, default, group, meaning }
}

/// The settings in the order of their groups.
pub const SETTINGS: [Setting; 38] = [
    setting("JWT_ISSUER", Some("landlord"), SettingGroup::SignIn, "the issuer of access tokens"),
    setting("JWT_AUDIENCE", Some("landlord-super-admin"), SettingGroup::SignIn, "the audience of access tokens"),
    setting("JWT_TTL_SECONDS", Some("28800"), SettingGroup::SignIn, "the lifetime of an access token"),
    setting(
        "SESSION_MAX_AGE_SECONDS",
        Some("604800"),
        SettingGroup::SignIn,
        "how long after the sign-in the last token of a session expires",
    ),
    setting("OIDC_ISSUER", None, SettingGroup::SignIn, "the issuer of the identity provider"),
    setting("OIDC_AUDIENCE", None, SettingGroup::SignIn, "the audience of the identity provider's tokens"),
    setting("OIDC_CLIENT_ID", None, SettingGroup::SignIn, "the console's id at the identity provider"),
    setting(
        "OIDC_ROLE_CLAIM",
        Some("role"),
        SettingGroup::SignIn,
        "the claim of the identity provider's tokens that contains the role",
    ),
    setting(
        "OIDC_DEFAULT_ROLE",
        Some("viewer"),
        SettingGroup::SignIn,
        "the role of a super-admin for whom nothing states one",
    ),
    setting(
        "TRUSTED_PROXY_HOPS",
        Some("0"),
        SettingGroup::SignIn,
        "the number of proxies between clients and API Gateway",
    ),
    setting(
        "IMPERSONATION_AUDIENCE",
        Some("landlord-platform"),
        SettingGroup::Impersonation,
        "the audience of impersonation tokens",
    ),
    setting(
        "DEFAULT_MAX_AGENTS",
        Some("10"),
        SettingGroup::Limits,
        "the limit of users of a tenant that is created without one",
    ),
    setting(
        "DEFAULT_MAX_CONTACTS",
        Some("10000"),
        SettingGroup::Limits,
        "the limit of contacts of a tenant that is created without one",
    ),
    setting(
        "DEFAULT_MAX_MESSAGES_MONTH",
        Some("50000"),
        SettingGroup::Limits,
        "the limit of messages in a month of a tenant that is created without one",
    ),
    setting(
        "OPERATION_CONCURRENCY",
        Some("50"),
        SettingGroup::Limits,
        "the number of requests for operations at the same time, of which four fifths may wait",
    ),
    setting(
        "MEASURE_ACTIVE_INTERVAL_SECONDS",
        Some("900"),
        SettingGroup::Measuring,
        "the interval between measurements of an active tenant",
    ),
    setting(
        "MEASURE_SUSPENDED_INTERVAL_SECONDS",
        Some("86400"),
        SettingGroup::Measuring,
        "the interval between measurements of a suspended tenant",
    ),
    setting(
        "MEASURE_RETRY_INTERVAL_SECONDS",
        Some("300"),
        SettingGroup::Measuring,
        "how long a store of a tenant is left out after its first failure",
    ),
    setting(
        "MEASURE_OBJECTS_INTERVAL_SECONDS",
        Some("86400"),
        SettingGroup::Measuring,
        "how long the sum of a tenant's objects is used",
    ),
    setting(
        "MEASURE_TENANT_TIMEOUT_MS",
        Some("5000"),
        SettingGroup::Measuring,
        "the timeout of the measurement of one tenant",
    ),
    setting(
        "RECONCILIATION_INTERVAL_SECONDS",
        Some("3600"),
        SettingGroup::Measuring,
        "the interval between comparisons of all stores with the platform database",
    ),
    setting("AUDIT_RETENTION_DAYS", Some("400"), SettingGroup::Retention, "how long entries of the audit log are kept"),
    setting(
        "OPERATION_RETENTION_DAYS",
        Some("90"),
        SettingGroup::Retention,
        "how long operations are kept after their end",
    ),
    setting(
        "IMPERSONATION_RETENTION_DAYS",
        Some("400"),
        SettingGroup::Retention,
        "how long impersonations are kept after their end",
    ),
    setting(
        "USAGE_RETENTION_DAYS",
        Some("400"),
        SettingGroup::Retention,
        "how long the daily figures of the usage of tenants are kept",
    ),
    setting(
        "FIRST_PASSWORD_RETENTION_DAYS",
        Some("30"),
        SettingGroup::Retention,
        "how long the password hash of the first user of a failed tenant is kept",
    ),
    setting(
        "BACKUP_RETENTION_DAYS",
        Some("35"),
        SettingGroup::Retention,
        "the age of the oldest backup that can be restored",
    ),
    setting("EXPORT_RETENTION_DAYS", Some("30"), SettingGroup::Retention, "how long the files of an export are kept"),
    setting("HEALTH_PROBE_TIMEOUT_MS", Some("1000"), SettingGroup::Health, "the timeout of each probe"),
    setting(
        "INTEGRATION_STALE_SECONDS",
        Some("900"),
        SettingGroup::Health,
        "the maximum age of the last success with a provider without a status page",
    ),
    setting(
        "POSTGRES_POOL_SIZE",
        Some("4"),
        SettingGroup::Connections,
        "connections of a process to the platform database",
    ),
    setting(
        "POSTGRES_TENANT_CONNECTIONS",
        Some("8"),
        SettingGroup::Connections,
        "connections of a process to the tenants' databases of a cluster",
    ),
    setting(
        "POSTGRES_CONNECT_TIMEOUT_MS",
        Some("2000"),
        SettingGroup::Connections,
        "the timeout of a connection to PostgreSQL",
    ),
    setting(
        "POSTGRES_STATEMENT_TIMEOUT_MS",
        Some("4000"),
        SettingGroup::Connections,
        "the timeout of a statement in PostgreSQL",
    ),
    setting("MONGODB_TIMEOUT_MS", Some("3000"), SettingGroup::Connections, "the timeout of an operation of MongoDB"),
    setting("REDIS_TIMEOUT_MS", Some("500"), SettingGroup::Connections, "the timeout of a command of Redis"),
    setting("KAFKA_TIMEOUT_MS", Some("10000"), SettingGroup::Connections, "the timeout of a call to the Kafka brokers"),
    setting("KAFKA_TOPIC", Some("platform.tenant-events"), SettingGroup::Events, "the topic of events"),
];

impl Setting {
    /// The configured value, or the default.
    pub fn value(&self) -> Option<String> {
        self.configured().or_else(|| self.default.map(ToOwned::to_owned))
    }

    /// The value of the environment.
    pub fn configured(&self) -> Option<String> {
        optional(self.name).map(|value| value.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        FromEnv, HttpConfig, MeasuringConfig, PostgresConfig, ProvisioningConfig, RetentionConfig, SessionConfig,
    };

    fn default(name: &str) -> u64 {
        let setting = SETTINGS.iter().find(|setting| setting.name == name).unwrap();
        setting.default.unwrap().parse().unwrap()
    }

    #[test]
    fn the_defaults_are_those_of_the_code() {
        let MeasuringConfig {
            active_interval,
            suspended_interval,
            retry_interval,
            objects_interval,
            tenant_timeout,
            kept_days,
            ..
        } = MeasuringConfig::default();
        for (name, interval) in [
            ("MEASURE_ACTIVE_INTERVAL_SECONDS", active_interval),
            ("MEASURE_SUSPENDED_INTERVAL_SECONDS", suspended_interval),
            ("MEASURE_RETRY_INTERVAL_SECONDS", retry_interval),
            ("MEASURE_OBJECTS_INTERVAL_SECONDS", objects_interval),
            ("SESSION_MAX_AGE_SECONDS", SessionConfig::from_env().unwrap().max_age),
        ] {
            assert_eq!(default(name), interval.as_secs(), "{name}");
        }
        assert_eq!(u128::from(default("MEASURE_TENANT_TIMEOUT_MS")), tenant_timeout.as_millis());
        let RetentionConfig { audit, operations, impersonations, first_passwords } = RetentionConfig::default();
        for (name, days) in [
            ("USAGE_RETENTION_DAYS", kept_days),
            ("AUDIT_RETENTION_DAYS", audit),
            ("OPERATION_RETENTION_DAYS", operations),
            ("IMPERSONATION_RETENTION_DAYS", impersonations),
            ("FIRST_PASSWORD_RETENTION_DAYS", first_passwords),
        ] {
            assert_eq!(default(name), u64::try_from(days).unwrap(), "{name}");
        }
        let exports = ProvisioningConfig::new(std::time::Duration::ZERO).export_retention;
        assert_eq!(default("EXPORT_RETENTION_DAYS") * 24 * 3600, exports.as_secs());
        let postgres = PostgresConfig::new("postgres://");
        assert_eq!(default("POSTGRES_POOL_SIZE"), u64::try_from(postgres.pool_size).unwrap());
        assert_eq!(u128::from(default("POSTGRES_STATEMENT_TIMEOUT_MS")), postgres.statement_timeout.as_millis());
        assert_eq!(default("TRUSTED_PROXY_HOPS"), u64::try_from(HttpConfig::default().trusted_proxy_hops).unwrap());
    }

    #[test]
    fn no_setting_is_listed_twice_or_has_the_name_of_a_secret_or_an_address() {
        for (position, setting) in SETTINGS.iter().enumerate() {
            assert!(SETTINGS[..position].iter().all(|earlier| earlier.name != setting.name), "{}", setting.name);
            for part in ["SECRET", "SIGNING", "KEY", "URL", "BROKERS", "USERNAME"] {
                assert!(!setting.name.contains(part), "{}", setting.name);
            }
        }
        let groups: Vec<_> = SETTINGS.iter().map(|setting| setting.group).collect();
        let mut distinct = groups.clone();
        distinct.dedup();
        assert_eq!(distinct.len(), SettingGroup::ALL.len(), "the settings of a group are together");
    }
}
