//! Roles of super-admins.

use serde::Serialize;

keyword_enum!(
    /// What an operator may do.
    #[cfg_attr(feature = "http", schema(as = OperatorRole))]
    SuperAdminRole {
        /// Everything.
        Owner = "owner",
        /// Everything but administering operators, and acting in a user's name with the right to write.
        Operator = "operator",
        /// Reading.
        Viewer = "viewer",
    }
);

impl SuperAdminRole {
    /// Whether whoever has this role may do what takes `needed`.
    pub fn allows(self, needed: Self) -> bool {
        self.rank() >= needed.rank()
    }

    fn rank(self) -> u8 {
        match self {
            Self::Owner => 2,
            Self::Operator => 1,
            Self::Viewer => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_those_below_it_may() {
        use SuperAdminRole::{Operator, Owner, Viewer};
        for (has, may) in [(Owner, 3), (Operator, 2), (Viewer, 1)] {
            assert_eq!(SuperAdminRole::ALL.iter().filter(|needed| has.allows(**needed)).count(), may);
            assert!(has.allows(has) && has.allows(Viewer));
            assert_eq!(has.as_str().parse(), Ok(has));
        }
    }
}
