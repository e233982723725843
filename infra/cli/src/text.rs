//! Text from elsewhere, made safe for a terminal.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

/// Characters that move the cursor, change the direction of writing, or are invisible.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// The text with such characters as `\u{…}`, so that a name can neither forge a row nor send a command to the terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let escaped =
        text.chars().map(|one| if is_deceptive(one) { one.escape_unicode().to_string() } else { one.to_string() });
    Cow::Owned(escaped.collect())
}

/// The number of columns in a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// At most `max` characters.
pub(crate) fn shortened(text: &str, max: usize) -> String {
    let mut characters = text.chars();
    let start: String = characters.by_ref().take(max).collect();
    if characters.next().is_some() { format!("{start}…") } else { start }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_changes_of_direction_are_visible() {
        assert_eq!(printable("kopi\u{1b}[2J\u{202e}x"), "kopi\\u{1b}[2J\\u{202e}x");
        assert!(matches!(printable("Kedai Kopi 咖啡"), Cow::Borrowed(_)));
        assert_eq!(width("咖啡"), 4);
        assert_eq!(shortened("abcdef", 3), "abc…");
    }
}
