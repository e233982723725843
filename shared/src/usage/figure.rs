//! What is counted, and orders by it.

use std::{fmt, str::FromStr};

use serde::Serialize;

use crate::types::{InvalidValue, Limit, Limits};

keyword_enum!(
    /// What is counted of a tenant.
    Figure {
        /// Agents that are not deactivated.
        Agents = "agents",
        /// Agents that are online.
        AgentsOnline = "agents_online",
        /// Contacts.
        Contacts = "contacts",
        /// Messages of this calendar month, UTC.
        MessagesMonth = "messages_month",
        /// Bytes of its databases and objects.
        StorageBytes = "storage_bytes",
    }
);

impl Figure {
    /// Those that have a limit.
    pub const LIMITED: [Self; 3] = [Self::Agents, Self::Contacts, Self::MessagesMonth];

    /// What a tenant's limits allow of it; unlimited where there is no such limit.
    pub fn limit(self, limits: &Limits) -> Limit {
        match self {
            Self::Agents => limits.max_agents,
            Self::Contacts => limits.max_contacts,
            Self::MessagesMonth => limits.max_messages_month,
            Self::AgentsOnline | Self::StorageBytes => None,
        }
    }
}

/// An order of tenants by a figure: `agents` begins with the least, `-agents` with the greatest. A figure that is missing
/// comes last in either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageSort {
    /// By what.
    pub figure: Figure,
    /// The greatest first.
    pub descending: bool,
}

impl FromStr for UsageSort {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        Figure::from_text(name).map(|figure| Self { figure, descending }).ok_or_else(|| {
            let names: Vec<_> = Figure::ALL.iter().map(|figure| figure.as_str()).collect();
            InvalidValue::new(format!("must be one of {}, with - before it for the greatest first", names.join(", ")))
        })
    }
}

impl fmt::Display for UsageSort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.descending { "-" } else { "" }, self.figure.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sort_is_the_name_of_a_figure_and_perhaps_a_minus() {
        for figure in Figure::ALL {
            for descending in [false, true] {
                let sort = UsageSort { figure: *figure, descending };
                assert_eq!(sort.to_string().parse(), Ok(sort));
            }
        }
        for bad in ["", "-", "name", "--agents", "+agents", "agents-", " agents", "AGENTS", "agents,contacts"] {
            let refused = bad.parse::<UsageSort>().unwrap_err();
            assert!(refused.to_string().contains("agents_online"), "{bad:?}: {refused}");
        }
    }
}
