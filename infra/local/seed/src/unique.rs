//! Names that must not be taken twice.

use std::collections::{HashMap, HashSet};

/// The names that are taken.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    names: HashSet<String>,
    /// The last number that was tried of each name.
    numbers: HashMap<String, u32>,
}

impl Taken {
    /// Those that are taken already.
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self { names: names.into_iter().collect(), numbers: HashMap::new() }
    }

    /// Takes a name: the one that is wanted, or else the first of those `numbered` from 2 on that is free.
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
    fn a_name_that_is_taken_is_numbered_past_all_that_are() {
        let mut taken = Taken::new(["kopi".to_owned(), "kopi-2".to_owned(), "kopi-4".to_owned()]);
        let names: Vec<_> = (0..3).map(|_| taken.take("kopi".into(), |name, n| format!("{name}-{n}"))).collect();
        assert_eq!(names, ["kopi-3", "kopi-5", "kopi-6"]);
        assert_eq!(taken.take("teh".into(), |name, n| format!("{name}-{n}")), "teh");
    }
}
