use crate::types::InvalidValue;

string_type! {
    /// An e-mail address: `local@domain` of RFC 5321, at most 254 bytes, with a dot in the domain; no display name, no quoted
    /// local part, no literal IP address. In lower case, because addresses are compared without regard to case.
    EmailAddress {
        parse: parse,
        schema: { format: "email", max_length: 254, example: "ada@example.com" },
    }
}

fn parse(text: &str) -> Result<String, InvalidValue> {
    let options = email_address::Options::default().without_display_text().without_domain_literal().with_required_tld();
    let is_plain = text.len() <= 254 && !text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '"');
    if !is_plain || email_address::EmailAddress::parse_with_options(text, options).is_err() {
        return Err(InvalidValue::format("must be an e-mail address such as ada@example.com, of at most 254 bytes"));
    }
    Ok(text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_header_or_a_display_name_is_invalid() {
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
