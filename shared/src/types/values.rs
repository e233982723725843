//! Several values of one parameter.

use crate::types::{FaultCode, InvalidValue};

/// One to [`Self::MAX`] different values, separated by commas: `active,suspended`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values<T>(Vec<T>);

impl<T> Values<T> {
    /// The maximum number of values, because a list is a union of one part for each.
    pub const MAX: usize = 10;

    /// A single value.
    pub fn one(value: T) -> Self {
        Self(vec![value])
    }

    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

impl<T: PartialEq> Values<T> {
    /// Repeated values count once.
    pub fn parse(text: &str, parse: impl Fn(&str) -> Result<T, InvalidValue>) -> Result<Self, InvalidValue> {
        let count = text.split(',').count();
        if count > Self::MAX {
            let detail = format!("must have at most {} values, separated by commas, and has {count}", Self::MAX);
            return Err(InvalidValue::new(FaultCode::InvalidLength, detail));
        }
        let mut values = Vec::new();
        for value in text.split(',') {
            let value = parse(value)?;
            if !values.contains(&value) {
                values.push(value);
            }
        }
        Ok(Self(values))
    }
}

cfg_http! {
    impl<T: crate::types::ParameterValue + PartialEq> crate::types::ParameterValue for Values<T> {
        const MAY_REPEAT: bool = true;

        fn parse_parameter(text: &str) -> Result<Self, InvalidValue> {
            Self::parse(text, T::parse_parameter)
        }

        fn parameter_schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
            utoipa::openapi::ArrayBuilder::new()
                .items(T::parameter_schema())
                .min_items(Some(1))
                .max_items(Some(Self::MAX))
                .into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Values<u8>, InvalidValue> {
        Values::parse(text, |value| value.parse().map_err(|_| InvalidValue::format("must be a number")))
    }

    #[test]
    fn values_are_separated_by_commas_and_repeated_ones_count_once() {
        assert_eq!(parse("7").unwrap().as_slice(), [7]);
        assert_eq!(parse("7,1,7").unwrap().as_slice(), [7, 1]);
    }

    #[test]
    fn an_invalid_value_and_too_many_values_are_rejected() {
        for invalid in ["", "7,", ",7", "7,x", "7, 8", "7;8"] {
            assert_eq!(parse(invalid).unwrap_err().to_string(), "must be a number", "{invalid}");
        }
        assert!(parse(&["1"; 10].join(",")).is_ok());
        let error = parse(&["1"; 50].join(",")).unwrap_err().to_string();
        assert_eq!(error, "must have at most 10 values, separated by commas, and has 50");
    }
}
