//! The figures of a tenant's usage, and sort orders by them.

use std::{fmt, str::FromStr};

use serde::Serialize;

use crate::types::{FaultCode, InvalidValue, Limit, Limits};

keyword_enum!(
    /// A figure of a tenant's usage.
    Figure {
        /// Active users.
        Agents = "agents",
        /// Users who are online.
        AgentsOnline = "agents_online",
        /// Contacts in the tenant's database.
        Contacts = "contacts",
        /// Messages of the current calendar month, UTC.
        MessagesMonth = "messages_month",
        /// Bytes of the tenant's databases and objects.
        StorageBytes = "storage_bytes",
    }
);

impl Figure {
    /// The figures that have a limit.
    pub const LIMITED: [Self; 3] = [Self::Agents, Self::Contacts, Self::MessagesMonth];

    /// The tenant's limit of this figure; unlimited for a figure without a limit.
    pub fn limit(self, limits: &Limits) -> Limit {
        match self {
            Self::Agents => limits.max_agents,
            Self::Contacts => limits.max_contacts,
            Self::MessagesMonth => limits.max_messages_month,
            Self::AgentsOnline | Self::StorageBytes => None,
        }
    }
}

/// A sort order of tenants by a figure: `agents` is ascending, `-agents` descending. Tenants without the figure come last in
/// both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageSort {
    pub figure: Figure,
    pub descending: bool,
}

inline_schema!(UsageSort, String { pattern: "^-?(agents|agents_online|contacts|messages_month|storage_bytes)$" });
inline_parameter!(UsageSort, str::parse);

impl FromStr for UsageSort {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        Figure::from_text(name).map(|figure| Self { figure, descending }).ok_or_else(|| {
            let names: Vec<_> = Figure::ALL.iter().map(|figure| figure.as_str()).collect();
            InvalidValue::new(
                FaultCode::UnknownValue,
                format!("must be one of {}; a leading - sorts in descending order", names.join(", ")),
            )
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
    fn a_sort_order_is_a_figure_with_an_optional_leading_minus() {
        for figure in Figure::ALL {
            for descending in [false, true] {
                let sort = UsageSort { figure: *figure, descending };
                assert_eq!(sort.to_string().parse(), Ok(sort));
            }
        }
        for bad in ["", "-", "name", "--agents", "+agents", "agents-", " agents", "AGENTS", "agents,contacts"] {
            let error = bad.parse::<UsageSort>().unwrap_err();
            assert!(error.to_string().contains("agents_online"), "{bad:?}: {error}");
        }
    }
}
