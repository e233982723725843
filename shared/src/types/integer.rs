//! The macro for integers with bounds in bodies of requests.

/// A type of integers with bounds and a default.
macro_rules! bounded_integer {
    ($(#[doc = $doc:literal])* $visibility:vis $name:ident: $min:literal..=$max:literal, default $default:literal) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visibility struct $name(i32);

        impl $name {
            /// Validates.
            $visibility fn new(number: i64) -> std::result::Result<Self, $crate::types::InvalidValue> {
                let valid = i32::try_from(number).ok().filter(|number| ($min..=$max).contains(number));
                valid.map(Self).ok_or_else(|| {
                    let rule = concat!("must be an integer from ", $min, " to ", $max);
                    $crate::types::InvalidValue::new($crate::types::FaultCode::OutOfRange, rule)
                })
            }

            $visibility fn get(self) -> i32 {
                self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self($default)
            }
        }

        cfg_http! {
            impl<E: $crate::types::ValueErrors> deserr::Deserr<E> for $name {
                fn deserialize_from_value<V: deserr::IntoValue>(
                    value: deserr::Value<V>,
                    location: deserr::ValuePointerRef<'_>,
                ) -> std::result::Result<Self, E> {
                    let number = <i64 as deserr::Deserr<E>>::deserialize_from_value(value, location)?;
                    Self::new(number).map_err(|error| E::invalid(error, location))
                }
            }
        }

        inline_schema!($name, Integer { format: "int32", minimum: $min, maximum: $max, default: $default.into() });
    };
}

#[cfg(test)]
mod tests {
    bounded_integer! {
        /// A number of minutes.
        Minutes: 1..=60, default 15
    }

    #[test]
    fn only_integers_within_the_bounds_are_valid() {
        for bad in [i64::MIN, -1, 0, 61, i64::from(u32::MAX) + 2, i64::MAX] {
            assert_eq!(Minutes::new(bad).unwrap_err().to_string(), "must be an integer from 1 to 60", "{bad}");
        }
        for good in [1, 60] {
            assert_eq!(i64::from(Minutes::new(good).unwrap().get()), good);
        }
        assert_eq!(Minutes::default().get(), 15);
    }
}
