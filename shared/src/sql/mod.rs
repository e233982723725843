//! What every `store` module builds its statements with.

mod conditions;

pub use conditions::{Conditions, Value};
