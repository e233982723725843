//! How long a client wants to wait for a change.

use std::{str::FromStr, time::Duration};

use crate::{
    operations::MAX_WAIT,
    types::{FaultCode, InvalidValue},
};

/// Seconds that a response may wait: 0 to 20. By default it does not wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WaitSeconds(Duration);

inline_schema!(WaitSeconds, Integer { minimum: 0, maximum: MAX_WAIT.as_secs(), example: 20 });
inline_parameter!(WaitSeconds, str::parse);

impl WaitSeconds {
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for WaitSeconds {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text.parse().map(Duration::from_secs) {
            Ok(duration) if duration <= MAX_WAIT && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Self(duration))
            }
            _ => Err(InvalidValue::new(
                FaultCode::OutOfRange,
                format!("must be an integer from 0 to {}", MAX_WAIT.as_secs()),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_0_to_20_seconds() {
        for (text, seconds) in [("0", 0), ("1", 1), ("20", 20)] {
            assert_eq!(text.parse::<WaitSeconds>().unwrap().duration().as_secs(), seconds);
        }
        for invalid in ["21", "-1", "+1", "1.5", "1s", "x", "", " 1", "99999999999999999999"] {
            assert!(invalid.parse::<WaitSeconds>().is_err(), "{invalid}");
        }
    }
}
