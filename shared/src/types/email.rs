use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::types::InvalidValue;

string_type! {
    /// An e-mail address: `local@domain` of RFC 5321, at most 254 bytes, with a dot in the domain; no display name, no quoted
    /// local part, no literal IP address.
    ///
    /// It is normalized: in Unicode's normal form C and lower case. So equal addresses are equal strings, in this process and in
    /// every database, whose own rules for lower case differ by locale.
    EmailAddress {
        parse: parse,
        schema: { format: "email", max_length: 254, example: "ada@example.com" },
    }
}

fn parse(text: &str) -> Result<String, InvalidValue> {
    let text = normalize(text);
    let text = text.as_str();
    let options = email_address::Options::default().without_display_text().without_domain_literal().with_required_tld();
    let is_plain = text.len() <= 254 && !text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '"');
    // The crate refuses combining marks, which RFC 6531 allows. Some letters have them in lower case only.
    let without_marks: String = text.chars().filter(|character| !is_combining_mark(*character)).collect();
    if !is_plain || email_address::EmailAddress::parse_with_options(&without_marks, options).is_err() {
        return Err(InvalidValue::format("must be an e-mail address such as ada@example.com, of at most 254 bytes"));
    }
    Ok(text.to_owned())
}

/// Lower case can turn a composed character into several, so that the second composition is needed.
pub(super) fn normalize(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_address_are_equal() {
        for (spelling, other) in [
            ("Ada@Example.com", "aDA@EXAMPLE.COM"),
            ("\u{e9}lodie@example.com", "E\u{301}LODIE@example.com"),
            ("\u{130}pek@example.com", "i\u{307}pek@example.com"),
            ("\u{c5}sa@example.com", "\u{212b}sa@example.com"),
        ] {
            assert_eq!(EmailAddress::parse(spelling), EmailAddress::parse(other));
        }
        assert_ne!(EmailAddress::parse("\u{131}@example.com"), EmailAddress::parse("i@example.com"));
    }

    proptest! {
        #[test]
        fn normalizing_twice_changes_nothing(text in "\\PC{0,40}") {
            let once = normalize(&text);
            prop_assert_eq!(normalize(&once), once);
        }
    }

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
