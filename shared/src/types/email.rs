//! E-mail addresses.

use std::fmt;

use crate::types::InvalidValue;

/// An address that mail can be sent to: RFC 5321's `local@domain`, at most 254 bytes, with a dot in its domain; no display
/// name, no quoted local part, no literal IP. Kept in lower case, as it is compared without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

parsed_from_string!(EmailAddress, EmailAddress::parse);

impl EmailAddress {
    /// Validates and lower-cases.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let options =
            email_address::Options::default().without_display_text().without_domain_literal().with_required_tld();
        let plain = text.len() <= 254 && !text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '"');
        if !plain || email_address::EmailAddress::parse_with_options(text, options).is_err() {
            return Err(InvalidValue::new("must be an e-mail address such as ada@example.com, of at most 254 bytes"));
        }
        Ok(Self(text.to_lowercase()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_smuggled_into_an_address_is_refused() {
        for bad in [
            "a@example.com\r\nBcc: b@example.com",
            "a@example.com\n",
            "Ada <a@example.com>",
            "\"a b\"@example.com",
            "a@[127.0.0.1]",
            "a@localhost",
            "a b@example.com",
            "example.com",
            "@example.com",
            "",
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?}");
        }
        assert!(EmailAddress::parse(&format!("{}@example.com", "a".repeat(250))).is_err());
        assert_eq!(EmailAddress::parse("Ada.L+crm@Example.COM").unwrap().as_str(), "ada.l+crm@example.com");
    }
}
