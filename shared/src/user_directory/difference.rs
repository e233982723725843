//! What separates a part of the directory from the users of a tenant.

use std::collections::BTreeMap;

use crate::{types::UserId, user_directory::DirectoryEntry};

/// The changes that make entries of the directory equal to users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Users without an entry.
    pub missing: Vec<DirectoryEntry>,
    /// Users whose entry differs, each with the revision of the entry.
    pub outdated: Vec<(i64, DirectoryEntry)>,
    /// Entries without a user, each with its revision.
    pub surplus: Vec<(UserId, i64)>,
}

impl Difference {
    /// Compares entries with users of the same tenant, and of the same range of ids.
    pub fn between(entries: impl IntoIterator<Item = DirectoryEntry>, users: Vec<DirectoryEntry>) -> Self {
        let mut entries: BTreeMap<_, _> = entries.into_iter().map(|entry| (entry.user_id, entry)).collect();
        let mut difference = Self::default();
        for user in users {
            match entries.remove(&user.user_id) {
                None => difference.missing.push(user),
                Some(entry) if entry != user => difference.outdated.push((entry.revision, user)),
                Some(_) => {}
            }
        }
        difference.surplus = entries.into_values().map(|entry| (entry.user_id, entry.revision)).collect();
        difference
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of entries to change.
    pub fn len(&self) -> usize {
        self.missing.len() + self.outdated.len() + self.surplus.len()
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;

    fn entry(id: u128, name: &str, revision: i64) -> DirectoryEntry {
        DirectoryEntry {
            user_id: UserId(Uuid::from_u128(id)),
            email: format!("{id}@kopi.example"),
            full_name: name.to_owned(),
            role: "agent".to_owned(),
            status: "active".to_owned(),
            revision,
            created_at: OffsetDateTime::UNIX_EPOCH,
            updated_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn equal_entries_do_not_differ() {
        let users = vec![entry(1, "Sari", 1), entry(2, "Budi", 7)];
        assert!(Difference::between(users.clone(), users).is_empty());
        assert!(Difference::between([], Vec::new()).is_empty());
    }

    #[test]
    fn a_difference_names_the_revisions_that_the_directory_has() {
        let entries = [entry(1, "Sari", 1), entry(2, "Budi", 9), entry(3, "Ana", 4)];
        let users = vec![entry(1, "Sari", 1), entry(2, "Budi S", 7), entry(4, "Joko", 2)];
        let difference = Difference::between(entries, users);
        assert_eq!(difference.missing, [entry(4, "Joko", 2)]);
        assert_eq!(difference.outdated, [(9, entry(2, "Budi S", 7))]);
        assert_eq!(difference.surplus, [(UserId(Uuid::from_u128(3)), 4)]);
        assert_eq!(difference.len(), 3);
    }
}
