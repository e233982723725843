//! What an impersonation allows.

use serde::Serialize;

keyword_enum!(
    /// What the super-admin may do as the user.
    Access {
        /// Read only.
        Read = "read",
        /// Read and change.
        Write = "write",
    }
);

impl Access {
    /// The claim `scope` of a token (RFC 8693, section 4.2).
    pub fn scope(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "read write",
        }
    }
}
