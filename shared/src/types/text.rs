//! Text that people type.

use unicode_general_category::{GeneralCategory, get_general_category};

use crate::types::{FaultCode, InvalidValue, email::normalize as normalize_email};

/// Trims `text` and rejects invisible characters, which make one name look like another: control characters, line
/// separators, bidirectional marks and other format characters (Unicode categories Cc, Cf, Zl, Zp, Co, Cn, Cs).
pub fn single_line(text: &str, min: usize, max: usize) -> Result<String, InvalidValue> {
    let text = text.trim();
    if let Some(bad) = text.chars().find(|character| !is_readable(*character)) {
        return Err(InvalidValue::new(
            FaultCode::InvalidCharacter,
            format!("must not contain the invisible character U+{:04X}", u32::from(bad)),
        ));
    }
    let length = text.chars().count();
    if length < min || length > max {
        return Err(InvalidValue::new(
            FaultCode::InvalidLength,
            format!("must be {min} to {max} characters long after trimming, and is {length}"),
        ));
    }
    Ok(text.to_owned())
}

fn is_readable(character: char) -> bool {
    // Zero-width joiners connect letters of Persian and Indic scripts, and emoji.
    if matches!(character, '\u{200C}' | '\u{200D}') {
        return true;
    }
    !matches!(
        get_general_category(character),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate
            | GeneralCategory::Unassigned
    )
}

string_type! {
    /// The text that a list is searched for: a literal substring, without regard to case.
    SearchText {
        parse: |text| single_line(text, 1, 120),
        schema: { format: "single-line", max_length: 120 },
    }
}

impl SearchText {
    /// The pattern for SQL's `LIKE` of a text in lower case, with `%`, `_` and `\` of the text escaped.
    pub fn like_pattern(&self) -> String {
        Self::pattern_of(&self.0)
    }

    /// The pattern for `LIKE` on normalized e-mail addresses, where it can differ from [`Self::like_pattern`] in lower case.
    pub fn email_pattern(&self) -> Option<String> {
        (!self.0.is_ascii()).then(|| Self::pattern_of(&normalize_email(&self.0)))
    }

    fn pattern_of(text: &str) -> String {
        let mut pattern = String::with_capacity(text.len() + 2);
        pattern.push('%');
        for character in text.chars() {
            if matches!(character, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern.push('%');
        pattern
    }
}

string_type! {
    /// A [`SearchText`] for a list that is too long to be read as a whole: an index needs three characters.
    LongSearchText {
        parse: |text| single_line(text, 3, 120),
        schema: { format: "single-line", min_length: 3, max_length: 120, example: "sari@kopi" },
    }
}

impl LongSearchText {
    pub fn to_search_text(&self) -> SearchText {
        SearchText(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_trimmed_and_counted_in_characters() {
        assert_eq!(single_line("  Café Zoë ", 1, 8), Ok("Café Zoë".to_owned()));
        assert!(single_line("  ", 1, 8).is_err());
        assert!(single_line("123456789", 1, 8).is_err());
    }

    #[test]
    fn invisible_characters_are_invalid() {
        for bad in
            ["a\u{202E}b", "a\u{2066}b", "a\u{200B}b", "a\nb", "a\u{0}b", "a\u{2028}b", "a\u{FEFF}b", "a\u{E000}b"]
        {
            assert!(single_line(bad, 1, 100).is_err(), "{bad:?}");
        }
        assert!(single_line("می‌خواهم", 1, 100).is_ok());
    }

    #[test]
    fn wildcards_of_like_are_escaped() {
        assert_eq!(SearchText::parse(r"50%_\x").unwrap().like_pattern(), r"%50\%\_\\x%");
    }
}
