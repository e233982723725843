//! The result type of the benchmark.

use std::error::Error;

/// The first error ends the benchmark, so no code distinguishes one error from another.
pub(crate) type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;
