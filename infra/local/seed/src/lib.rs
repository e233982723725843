//! Generated data: tenants with their usage and history, the health of the past month, and users of one tenant. Existing rows
//! are never changed, and new rows conflict with none, so the seeder can run again.
//!
//! Generated tenants have no databases of their own and are never measured, so that their figures stay as generated.
//!
//! The seeder writes rows with `COPY` instead of calling the use cases, for two reasons. It writes a past: operations that
//! finished months ago, audit entries at their times; a use case only acts now. And it writes 100,000 tenants in less than a
//! minute: a use case commits each tenant alone, hashes a password, and enqueues events and a provisioning operation.

mod counters;
pub mod health;
mod places;
mod random;
mod rows;
pub mod tenants;
mod unique;
pub mod users;

use std::{collections::BTreeMap, fmt};

use indicatif::HumanCount;

/// The number of written rows of each kind.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct WrittenRows(BTreeMap<&'static str, u64>);

impl WrittenRows {
    pub fn of(&self, kind: &str) -> u64 {
        self.0.get(kind).copied().unwrap_or_default()
    }

    fn count(&mut self, kind: &'static str, rows: u64) {
        *self.0.entry(kind).or_default() += rows;
    }

    pub fn add(&mut self, other: Self) {
        for (kind, rows) in other.0 {
            self.count(kind, rows);
        }
    }
}

impl fmt::Display for WrittenRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<_> = self.0.iter().filter(|(_, rows)| **rows > 0).collect();
        if counts.is_empty() {
            return f.write_str("nothing");
        }
        for (index, (kind, rows)) in counts.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} {kind}", HumanCount(*rows))?;
        }
        Ok(())
    }
}
