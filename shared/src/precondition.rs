//! Preconditions of a change.

use crate::error::{Error, Result};

/// `If-Match` (RFC 9110, section 13.1.1): the entity tags of the revisions to which a change may apply. Without tags it applies
/// to any revision.
#[derive(Debug, Clone, Default)]
pub struct IfMatch(Vec<String>);

impl IfMatch {
    /// `tags` are entity tags with their quotes, or `*`.
    pub fn new(tags: impl IntoIterator<Item = String>) -> Self {
        Self(tags.into_iter().collect())
    }

    /// Whether there is a tag of a revision, so that the caller knows what the change applies to.
    pub fn names_revision(&self) -> bool {
        self.0.iter().any(|tag| tag != "*")
    }

    /// Fails with [`Error::PreconditionFailed`] if there are tags and none is that of `revision`.
    pub fn check(&self, revision: i64, what: &'static str) -> Result<()> {
        let own = format!("\"{revision}\"");
        if self.0.is_empty() || self.0.iter().any(|tag| tag == "*" || *tag == own) {
            Ok(())
        } else {
            Err(Error::PreconditionFailed { what })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_applies_to_the_revisions_of_the_tags() {
        for (tags, applies) in [
            (&[][..], true),
            (&["*"], true),
            (&["\"7\""], true),
            (&["\"6\"", "\"7\""], true),
            (&["\"6\""], false),
            (&["7"], false),
        ] {
            let if_match = IfMatch::new(tags.iter().map(|tag| (*tag).to_owned()));
            assert_eq!(if_match.check(7, "tenant").is_ok(), applies, "{tags:?}");
        }
    }

    #[test]
    fn only_the_tag_of_a_revision_names_one() {
        for (tags, names) in [(&[][..], false), (&["*"], false), (&["\"7\""], true), (&["*", "\"7\""], true)] {
            let if_match = IfMatch::new(tags.iter().map(|tag| (*tag).to_owned()));
            assert_eq!(if_match.names_revision(), names, "{tags:?}");
        }
    }
}
