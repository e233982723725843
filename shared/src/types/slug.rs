//! The URL-safe name of a tenant.

use std::fmt;

use crate::types::InvalidValue;

/// Names that mean something to the platform's own hosts and paths, sorted.
const RESERVED: &[&str] = &[
    "about",
    "account",
    "accounts",
    "admin",
    "administrator",
    "api",
    "app",
    "apps",
    "assets",
    "auth",
    "billing",
    "blog",
    "cdn",
    "console",
    "dashboard",
    "dev",
    "docs",
    "email",
    "ftp",
    "health",
    "help",
    "imap",
    "internal",
    "landlord",
    "login",
    "logout",
    "mail",
    "me",
    "metrics",
    "new",
    "null",
    "oauth",
    "ops",
    "platform",
    "pop",
    "prod",
    "production",
    "public",
    "register",
    "root",
    "settings",
    "signin",
    "signup",
    "smtp",
    "sso",
    "staging",
    "static",
    "status",
    "super-admin",
    "superadmin",
    "support",
    "system",
    "tenant",
    "tenants",
    "test",
    "undefined",
    "user",
    "users",
    "webhook",
    "webhooks",
    "ws",
    "www",
];

/// A slug: `^[a-z0-9](-?[a-z0-9])*$`, 2–48 characters, not reserved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);

parsed_from_string!(Slug, Slug::parse);

impl Slug {
    /// The pattern, for documentation.
    pub const PATTERN: &'static str = "^[a-z0-9](-?[a-z0-9])*$";

    /// Validates; nothing is changed or trimmed, so that what was asked for is what is made.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text.len() < 2 || text.len() > 48 {
            return Err(InvalidValue::new("must be 2 to 48 characters long"));
        }
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !text.bytes().all(allowed) || text.starts_with('-') || text.ends_with('-') || text.contains("--") {
            return Err(InvalidValue::new(
                "must be lower-case letters a-z and digits, with single hyphens between them",
            ));
        }
        if RESERVED.binary_search(&text).is_ok() {
            return Err(InvalidValue::new("is reserved by the platform"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reserved_names_are_sorted_so_that_they_are_found() {
        assert!(RESERVED.is_sorted());
        assert!(RESERVED.iter().all(|name| Slug::parse(name).is_err()));
    }

    #[test]
    fn odd_hyphens_capitals_and_lengths_are_refused() {
        for bad in ["a", "-ab", "ab-", "a--b", "Ab", "a_b", "a b", "ä1", "", &"x".repeat(49)] {
            assert!(Slug::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_matches_the_pattern_is_accepted(text in "[a-z0-9](-?[a-z0-9]){4,20}") {
            prop_assume!(RESERVED.binary_search(&text.as_str()).is_err());
            let slug = Slug::parse(&text).unwrap();
            prop_assert_eq!(slug.as_str(), text);
        }

        #[test]
        fn nothing_is_accepted_that_a_url_would_escape(text in "\\PC{2,48}") {
            if Slug::parse(&text).is_ok() {
                prop_assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            }
        }
    }
}
