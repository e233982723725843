//! The identity that a verified token proves.

use crate::types::{SuperAdminId, SuperAdminRole};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A super-admin who signed in with a password of this platform.
    Own {
        id: SuperAdminId,
        /// The session is valid while this equals the super-admin's current epoch.
        session_epoch: i32,
    },
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
            Self::Own { id, .. } => id.to_string(),
            Self::Provider { subject, .. } => subject.clone(),
        }
    }
}
