//! Reasons that super-admins give for what they do.

use super::single_line;

string_type! {
    /// Why a super-admin does something: 10–500 characters after trimming, in one visible line.
    Reason {
        parse: |text| single_line(text, 10, 500),
        schema: {
            format: "single-line",
            min_length: 10,
            max_length: 500,
            example: "Looks at why the inbox of sari stays empty",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_visible_line_of_10_to_500_characters() {
        for bad in
            ["", "because", "              ", "looks at\nthe inbox", "looks at \u{202E}xobni eht", &"x".repeat(501)]
        {
            assert!(Reason::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Reason::parse("  looks at the inbox ").unwrap().as_str(), "looks at the inbox");
        assert!(Reason::parse(&"é".repeat(500)).is_ok());
    }
}
