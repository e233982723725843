//! The numbers of written rows.

use std::{collections::BTreeMap, fmt};

use indicatif::HumanCount;

/// The number of written rows of each kind.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct WrittenRows(BTreeMap<&'static str, u64>);

impl WrittenRows {
    /// Zero if no row of that kind was written.
    pub fn of(&self, kind: &str) -> u64 {
        self.0.get(kind).copied().unwrap_or_default()
    }

    pub(crate) fn count(&mut self, kind: &'static str, rows: u64) {
        *self.0.entry(kind).or_default() += rows;
    }

    /// Adds the numbers of another part of a run.
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
