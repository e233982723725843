//! Roles of super-admins.

use serde::Serialize;

keyword_enum!(
    /// The permissions of a super-admin.
    #[cfg_attr(feature = "http", schema(as = OperatorRole))]
    SuperAdminRole {
        /// Everything.
        Owner = "owner",
        /// Everything except managing super-admins, impersonating users with write access, granting the role `admin` in a tenant,
        /// and setting the passwords of users.
        Operator = "operator",
        /// Read only.
        Viewer = "viewer",
    }
);

impl SuperAdminRole {
    /// Whether this role includes the permissions of `needed`.
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
    fn each_role_includes_the_permissions_of_the_roles_below_it() {
        use SuperAdminRole::{Operator, Owner, Viewer};
        for (role, allowed) in [(Owner, 3), (Operator, 2), (Viewer, 1)] {
            assert_eq!(SuperAdminRole::ALL.iter().filter(|needed| role.allows(**needed)).count(), allowed);
            assert!(role.allows(role) && role.allows(Viewer));
            assert_eq!(role.as_str().parse(), Ok(role));
        }
    }
}
