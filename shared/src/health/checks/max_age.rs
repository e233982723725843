//! The greatest age of a report that a request accepts.

use std::time::Duration;

use crate::types::{FaultCode, InvalidValue};

/// The greatest accepted age of a report in seconds: 0–3600, by default 30.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxAge(u16);

inline_schema!(MaxAge, Integer { format: "int32", minimum: 0, maximum: MaxAge::LIMIT });
inline_parameter!(MaxAge, MaxAge::parse);

impl MaxAge {
    pub const LIMIT: u16 = 3600;

    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text.parse() {
            Ok(seconds) if seconds <= Self::LIMIT => Ok(Self(seconds)),
            _ => Err(InvalidValue::new(FaultCode::OutOfRange, format!("must be an integer from 0 to {}", Self::LIMIT))),
        }
    }

    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

impl Default for MaxAge {
    fn default() -> Self {
        Self(30)
    }
}
