//! Configuration of requests that wait for an operation.

use crate::config::{ConfigError, FromEnv, parsed};

/// The bound on requests that wait for an operation.
#[derive(Debug, Clone, Copy)]
pub struct WaitingConfig {
    /// `OPERATION_CONCURRENCY` (50): the number of requests that Lambda lets the function `get-operation` process at the same time.
    pub concurrency: usize,
}

impl WaitingConfig {
    /// The number of requests that may wait at the same time. The others, at least one and a fifth, are left for requests that
    /// do not wait.
    pub fn max_waiting(self) -> usize {
        self.concurrency - self.concurrency.div_ceil(5)
    }
}

impl FromEnv for WaitingConfig {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { concurrency: parsed("OPERATION_CONCURRENCY", 50)? })
    }
}

/// `LOCAL_CONCURRENCY` (1): the number of requests that a local process of such a function processes at the same time.
pub fn local_concurrency() -> Result<usize, ConfigError> {
    parsed("LOCAL_CONCURRENCY", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_requests_never_waits() {
        for (concurrency, max_waiting) in [(0, 0), (1, 0), (2, 1), (5, 4), (6, 4), (50, 40), (1000, 800)] {
            assert_eq!(WaitingConfig { concurrency }.max_waiting(), max_waiting, "{concurrency}");
        }
    }
}
