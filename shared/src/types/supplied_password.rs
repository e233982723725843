use secrecy::{ExposeSecret, SecretString};

/// A password that is compared with a stored one, and therefore not validated. `Debug` hides it.
#[derive(Debug, Clone)]
pub struct SuppliedPassword(SecretString);

parsed_from_string!(SuppliedPassword, |text| Ok(text.into()));
inline_schema!(SuppliedPassword, String { format: "password", example: "correct horse battery staple" });

impl From<&str> for SuppliedPassword {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl SuppliedPassword {
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}
