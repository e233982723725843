//! The rule that Lambda functions reach stores through TLS only, with a verified peer.

use crate::config::{ConfigError, is_lambda, optional};

/// Fails in Lambda if a connection has a problem with its encryption.
///
/// `PLAINTEXT_ALLOWED` (none) lists variables, separated by commas, that this does not apply to: for servers of a developer's
/// own that do not speak TLS. The SAM template does not contain it.
pub(super) fn require_tls(name: &'static str, problem: Option<&'static str>) -> Result<(), ConfigError> {
    let Some(problem) = problem else { return Ok(()) };
    let allowed = optional("PLAINTEXT_ALLOWED").unwrap_or_default();
    if !is_lambda() || allowed.split(',').any(|allowed| allowed.trim() == name) {
        return Ok(());
    }
    Err(ConfigError::invalid(
        name,
        format!("in Lambda, connections to stores must be encrypted and verified: {problem}"),
    ))
}

/// What is wrong with a connection string of PostgreSQL. Without `sslmode`, a server or a proxy could choose plaintext.
pub(super) fn postgres_problem(url: &str) -> Option<&'static str> {
    const MODES: [&str; 3] = ["require", "verify-ca", "verify-full"];
    let last = url.split(['?', '&', ' ']).filter_map(|option| option.trim().strip_prefix("sslmode=")).next_back();
    if last.is_some_and(|mode| MODES.contains(&mode)) { None } else { Some("add `sslmode=require`") }
}

/// What is wrong with a connection string of MongoDB.
pub(super) fn mongo_problem(url: &str) -> Option<&'static str> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let is_true = |names: &[&str]| {
        let option = query.split('&').filter_map(|option| option.split_once('='));
        let mut found = option.filter(|(name, _)| names.iter().any(|known| name.eq_ignore_ascii_case(known)));
        found.next_back().map(|(_, value)| value.eq_ignore_ascii_case("true"))
    };
    let encrypted = is_true(&["tls", "ssl"]).unwrap_or_else(|| url.starts_with("mongodb+srv://"));
    let insecure = ["tlsInsecure", "tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames"];
    if !encrypted {
        Some("add `tls=true`")
    } else if is_true(&insecure).unwrap_or(false) {
        Some("remove the option that accepts invalid certificates")
    } else {
        None
    }
}

/// What is wrong with a connection string of Redis.
pub(super) fn redis_problem(url: &str) -> Option<&'static str> {
    if !url.starts_with("rediss://") {
        Some("use `rediss://`")
    } else if url.ends_with("#insecure") {
        Some("remove `#insecure`")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encrypted_and_verified_connections_have_no_problem() {
        let postgres = |query: &str| postgres_problem(&format!("postgres://a:b@c/d{query}")).is_none();
        assert!(postgres("?sslmode=require") && postgres("?a=b&sslmode=verify-full&sslrootcert=/ca.pem"));
        assert!(postgres_problem("host=c sslmode=require user=a").is_none());
        for query in
            ["", "?sslmode=prefer", "?sslmode=require&sslmode=disable", "?sslmode=", "?application_name=sslmode"]
        {
            assert!(!postgres(query), "{query}");
        }

        let mongo = |url: &str| mongo_problem(url).is_none();
        assert!(
            mongo("mongodb+srv://a:b@c/")
                && mongo("mongodb://a:b@c/?replicaSet=x&TLS=true")
                && mongo("mongodb://c/?ssl=true")
        );
        for url in [
            "mongodb://a:b@c/",
            "mongodb://c/?tls=true&tls=false",
            "mongodb+srv://c/?tls=false",
            "mongodb://c/?tls=true&tlsInsecure=true",
            "mongodb+srv://c/?tlsAllowInvalidCertificates=true",
        ] {
            assert!(!mongo(url), "{url}");
        }

        assert!(redis_problem("rediss://a:b@c").is_none());
        assert!(redis_problem("redis://a:b@c").is_some() && redis_problem("rediss://c/#insecure").is_some());
    }
}
