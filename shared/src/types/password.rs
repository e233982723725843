use secrecy::{ExposeSecret, SecretString};

use crate::types::{FaultCode, InvalidValue};

/// A new password: 12 to 128 characters, and not easy to guess. `Debug` hides it.
#[derive(Debug, Clone)]
pub struct NewPassword(SecretString);

parsed_from_string!(NewPassword, NewPassword::parse);
inline_schema!(
    NewPassword,
    String { format: "password", min_length: 12, max_length: 128, example: "tidal-mango-orbit-42" }
);

impl NewPassword {
    /// Checks the length and the strength. The text is neither trimmed nor normalised, and no kinds of characters are
    /// required.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let length = text.chars().count();
        if !(12..=128).contains(&length) {
            return Err(InvalidValue::new(FaultCode::InvalidLength, "must be 12 to 128 characters long"));
        }
        if text.contains('\0') {
            return Err(InvalidValue::new(FaultCode::InvalidCharacter, "must not contain the character U+0000"));
        }
        let password = Self(SecretString::from(text));
        if password.is_guessable_from(&[]) {
            return Err(InvalidValue::new(
                FaultCode::WeakPassword,
                "is too easy to guess; a few unrelated words are better",
            ));
        }
        Ok(password)
    }

    /// Whether fewer than about 10^8 guesses find the password, according to [`zxcvbn`] (common passwords, names, words,
    /// keyboard patterns, dates), which also tries the words in `known` and their parts.
    pub fn is_guessable_from(&self, known: &[&str]) -> bool {
        let separates = |character: char| !character.is_alphanumeric();
        let parts = known.iter().flat_map(|word| word.split(separates).filter(|part| part.len() > 2));
        // `budi.santoso@…` and `Budi Santoso` without their separators.
        let names = known.iter().flat_map(|word| word.split('@'));
        let joined: Vec<String> = names.map(|name| name.replace(separates, "")).collect();
        let known: Vec<&str> = parts.chain(known.iter().copied()).chain(joined.iter().map(String::as_str)).collect();
        // The time of the estimate grows faster than the length, and characters after the 64th weaken no password.
        let head: String = self.expose().chars().take(64).collect();
        zxcvbn::zxcvbn(&head, &known).score() < zxcvbn::Score::Three
    }

    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_short_or_long_password_is_invalid() {
        for bad in ["password1234", "qwertyuiop12", "aaaaaaaaaaaaaaa", "iloveyou1234", "Tr0ub4dor&3", &"x7!".repeat(50)]
        {
            assert!(NewPassword::parse(bad).is_err(), "{bad}");
        }
        assert!(NewPassword::parse("tidal-mango-orbit-42").is_ok());
    }

    #[test]
    fn a_password_made_of_the_words_of_the_account_is_guessable() {
        let password = NewPassword::parse("kopikenangan26").unwrap();
        assert!(password.is_guessable_from(&["kopikenangan"]));
        let password = NewPassword::parse("budisantoso12").unwrap();
        for known in ["Budi Santoso", "budi.santoso@kopi.example"] {
            assert!(password.is_guessable_from(&[known]), "{known}");
        }
        assert!(!password.is_guessable_from(&["Sari Wulandari"]));
    }

    #[test]
    fn debug_output_hides_the_password() {
        assert!(!format!("{:?}", NewPassword::parse("tidal-mango-orbit-42").unwrap()).contains("mango"));
    }
}
