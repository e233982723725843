//! Unique names.

use std::collections::{HashMap, HashSet};

/// A set of taken names.
#[derive(Debug, Default)]
pub(crate) struct UniqueNames {
    names: HashSet<String>,
    /// The last number that was tried for each name, so that a common name is not tried from the start each time.
    numbers: HashMap<String, u32>,
}

impl UniqueNames {
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self { names: names.into_iter().collect(), numbers: HashMap::new() }
    }

    /// Takes `wanted` or, if it is taken, the first free name that `numbered` returns for the numbers from 2.
    pub(crate) fn take(&mut self, wanted: String, numbered: impl Fn(&str, u32) -> String) -> String {
        if self.names.insert(wanted.clone()) {
            return wanted;
        }
        let number = self.numbers.entry(wanted.clone()).or_insert(1);
        loop {
            *number += 1;
            let name = numbered(&wanted, *number);
            if self.names.insert(name.clone()) {
                return name;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_gets_the_first_free_number() {
        let mut taken = UniqueNames::new(["kopi".to_owned(), "kopi-2".to_owned(), "kopi-4".to_owned()]);
        let names: Vec<_> = (0..3).map(|_| taken.take("kopi".into(), |name, n| format!("{name}-{n}"))).collect();
        assert_eq!(names, ["kopi-3", "kopi-5", "kopi-6"]);
        assert_eq!(taken.take("teh".into(), |name, n| format!("{name}-{n}")), "teh");
    }
}
