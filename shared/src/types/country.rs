use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::types::{FaultCode, InvalidValue};

/// An assigned ISO 3166-1 alpha-2 code, in upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Country(&'static str);

keyword_schema!(Country, rust_iso3166::ALL_ALPHA2.iter().copied(), "ID", "ISO 3166-1 alpha-2 code of a country");

parsed_from_string!(Country, Country::parse);
named_parameter!(Country);
text_in_sql!(Country);

impl Country {
    /// Accepts the two capital letters of an assigned code.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        rust_iso3166::from_alpha2(text)
            .filter(|country| country.alpha2 == text)
            .map(|country| Self(country.alpha2))
            .ok_or_else(|| {
                InvalidValue::new(
                    FaultCode::UnknownValue,
                    "must be the ISO 3166-1 alpha-2 code of a country, such as ID or US",
                )
            })
    }

    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl FromStr for Country {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_assigned_upper_case_codes_are_countries() {
        assert_eq!(Country::parse("ID").unwrap().as_str(), "ID");
        for bad in ["id", "Id", "XX", "ZZ", "IDN", "", "I", "UK"] {
            assert!(Country::parse(bad).is_err(), "{bad:?}");
        }
    }
}
