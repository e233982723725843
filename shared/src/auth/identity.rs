//! Whom a token speaks for.

use crate::types::{SuperAdminId, SuperAdminRole};

/// Whom a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A super-admin who signed in here.
    Own {
        /// Who.
        id: SuperAdminId,
        /// The epoch that the session belongs to.
        session_epoch: i32,
    },
    /// An operator who signed in at the identity provider.
    Provider {
        /// Who, as the provider says.
        subject: String,
        /// What they may do, as the provider says.
        role: SuperAdminRole,
    },
}

impl Identity {
    /// As logs and the audit log name them, where no more is known.
    pub fn name(&self) -> String {
        match self {
            Self::Own { id, .. } => id.to_string(),
            Self::Provider { subject, .. } => subject.clone(),
        }
    }
}
