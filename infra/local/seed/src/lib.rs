//! Generated data, in bulk and straight into the stores: tenants with their usage and history, the health of the past
//! month, and users of one tenant. Nothing that is there is changed, and what is added collides with nothing, so that any
//! of it can be repeated.
//!
//! Tenants that are generated have no databases of their own, and are never measured: their figures stay what they are.

pub mod agents;
mod chance;
mod counters;
pub mod health;
mod places;
mod rows;
pub mod tenants;
mod unique;

use std::{collections::BTreeMap, fmt};

use indicatif::HumanCount;

/// How many rows of what were written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Written(BTreeMap<&'static str, u64>);

impl Written {
    /// How many of something.
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    fn count(&mut self, what: &'static str, rows: u64) {
        *self.0.entry(what).or_default() += rows;
    }

    /// Adds what was written besides.
    pub fn add(&mut self, other: Self) {
        for (what, rows) in other.0 {
            self.count(what, rows);
        }
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<_> = self.0.iter().filter(|(_, rows)| **rows > 0).collect();
        if counts.is_empty() {
            return f.write_str("nothing");
        }
        for (index, (what, rows)) in counts.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} {what}", HumanCount(*rows))?;
        }
        Ok(())
    }
}
