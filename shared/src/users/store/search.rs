//! The condition of a search for users by a text.

use crate::{sql::Conditions, types::SearchText};

/// The patterns of a search in the generated column `search_text`, which the table of a tenant's users and the user directory both have.
pub struct SearchPatterns {
    text: String,
    email: Option<String>,
}

impl SearchPatterns {
    pub fn of(search: &SearchText) -> Self {
        Self { text: search.like_pattern(), email: search.email_pattern() }
    }

    /// Restricts the rows to those that contain the text.
    pub fn narrow<'a>(&'a self, conditions: &mut Conditions<'a>) {
        // E-mail addresses follow the rules of Unicode, which differ from those of the database for a few letters.
        conditions.contain_text(&self.text, self.email.as_ref());
    }
}
