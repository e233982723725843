//! New passwords.

use secrecy::{ExposeSecret, SecretString};

use crate::types::InvalidValue;

/// A password that someone wants to have: 12 to 128 characters, and not easy to guess. `Debug` hides it.
#[derive(Debug, Clone)]
pub struct NewPassword(SecretString);

parsed_from_string!(NewPassword, NewPassword::parse);

impl NewPassword {
    /// Checks the length and the strength; nothing is trimmed or normalised, and no kinds of characters are asked for.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let length = text.chars().count();
        if !(12..=128).contains(&length) {
            return Err(InvalidValue::new("must be 12 to 128 characters long"));
        }
        if text.contains('\0') {
            return Err(InvalidValue::new("must not contain the character U+0000"));
        }
        let password = Self(SecretString::from(text));
        if password.is_guessable_from(&[]) {
            return Err(InvalidValue::new("is too easy to guess; a few unrelated words are better"));
        }
        Ok(password)
    }

    /// Whether fewer than about 10^8 guesses find it, by the lists of common passwords, names, words, keyboard patterns and
    /// dates that [`zxcvbn`] carries, and by `known` words of the account and their parts.
    pub fn is_guessable_from(&self, known: &[&str]) -> bool {
        let separates = |character: char| !character.is_alphanumeric();
        let parts = known.iter().flat_map(|word| word.split(separates).filter(|part| part.len() > 2));
        // `budi.santoso@…` and `Budi Santoso` as they are written without what is between.
        let names = known.iter().flat_map(|word| word.split('@'));
        let joined: Vec<String> = names.map(|name| name.replace(separates, "")).collect();
        let known: Vec<&str> = parts.chain(known.iter().copied()).chain(joined.iter().map(String::as_str)).collect();
        // The estimate takes longer than linear in the length; what comes after 64 characters weakens no password.
        let head: String = self.expose().chars().take(64).collect();
        zxcvbn::zxcvbn(&head, &known).score() < zxcvbn::Score::Three
    }

    /// The password, for hashing it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_short_and_long_passwords_are_refused() {
        for bad in ["password1234", "qwertyuiop12", "aaaaaaaaaaaaaaa", "iloveyou1234", "Tr0ub4dor&3", &"x7!".repeat(50)]
        {
            assert!(NewPassword::parse(bad).is_err(), "{bad}");
        }
        assert!(NewPassword::parse("tidal-mango-orbit-42").is_ok());
    }

    #[test]
    fn a_password_made_of_the_accounts_own_words_is_guessable() {
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
