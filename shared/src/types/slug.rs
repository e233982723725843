use crate::types::{FaultCode, InvalidValue};

/// Names that the platform uses in host names and paths, sorted.
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

string_type! {
    /// The URL-safe name of a tenant; not a reserved name. The text is neither changed nor trimmed, so that the tenant gets the
    /// slug that was requested.
    Slug {
        parse: parse,
        schema: {
            min_length: 2,
            max_length: 48,
            pattern: "^[a-z0-9](-?[a-z0-9])*$",
            example: "kopi-kenangan",
        },
    }
}

fn parse(text: &str) -> Result<String, InvalidValue> {
    if text.len() < 2 || text.len() > 48 {
        return Err(InvalidValue::new(FaultCode::InvalidLength, "must be 2 to 48 characters long"));
    }
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.bytes().all(is_allowed) || text.starts_with('-') || text.ends_with('-') || text.contains("--") {
        return Err(InvalidValue::format(
            "must be lower-case letters a-z and digits, with single hyphens between them",
        ));
    }
    if RESERVED.binary_search(&text).is_ok() {
        return Err(InvalidValue::new(FaultCode::Reserved, "is reserved by the platform"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reserved_names_are_sorted_and_invalid() {
        assert!(RESERVED.is_sorted());
        assert!(RESERVED.iter().all(|name| Slug::parse(name).is_err()));
    }

    #[test]
    fn capitals_stray_hyphens_and_wrong_lengths_are_invalid() {
        for bad in ["a", "-ab", "ab-", "a--b", "Ab", "a_b", "a b", "ä1", "", &"x".repeat(49)] {
            assert!(Slug::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn text_that_matches_the_pattern_is_valid(text in "[a-z0-9](-?[a-z0-9]){4,20}") {
            prop_assume!(RESERVED.binary_search(&text.as_str()).is_err());
            let slug = Slug::parse(&text).unwrap();
            prop_assert_eq!(slug.as_str(), text);
        }

        #[test]
        fn a_valid_slug_needs_no_escaping_in_a_url(text in "\\PC{2,48}") {
            if Slug::parse(&text).is_ok() {
                prop_assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            }
        }
    }
}
