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
        let number = conditions.number(&self.text);
        // The database lowers both sides, so that both follow the rules of its locale. E-mail addresses follow those of Unicode,
        // which differ for a few letters.
        let in_lower_case = format!("search_text LIKE lower(${number})");
        let condition = match &self.email {
            None => in_lower_case,
            Some(pattern) => {
                let number = conditions.number(pattern);
                format!("({in_lower_case} OR search_text LIKE ${number})")
            }
        };
        conditions.add(condition);
    }
}
