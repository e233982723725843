//! The identity that a verified token proves.

use crate::types::{SuperAdminId, SuperAdminRole};

/// The session of a super-admin who signed in with a password. Each of its tokens contains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    pub super_admin: SuperAdminId,
    /// The session is valid while this equals the super-admin's current epoch.
    pub epoch: i32,
    /// Unix time of the sign-in. A refreshed token keeps it.
    pub signed_in_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A super-admin who signed in with a password of this platform.
    Own(Session),
    /// A super-admin who signed in at the identity provider.
    Provider {
        subject: String,
        /// From the token, or the configured default. A role in the platform database takes precedence.
        role: SuperAdminRole,
        /// Unix time. A token from before the end of the super-admin's sessions is refused.
        issued_at: i64,
    },
}

impl Identity {
    /// The id for logs: the super-admin's id, or the subject.
    pub fn name(&self) -> String {
        match self {
            Self::Own(session) => session.super_admin.to_string(),
            Self::Provider { subject, .. } => subject.clone(),
        }
    }
}
