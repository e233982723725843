//! Ids: UUIDv7 (RFC 9562), so that rows are inserted in order of time.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::InvalidValue;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new one, later in order than those before it.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            /// Accepts the hyphenated form alone, so that one thing has one URL.
            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                match Uuid::try_parse(text) {
                    Ok(id) if text.len() == uuid::fmt::Hyphenated::LENGTH => Ok(Self(id)),
                    _ => Err(InvalidValue::new("must be a UUID such as 0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee")),
                }
            }
        }
    };
}

id!(
    /// A tenant organization.
    TenantId
);
id!(
    /// An operation on a tenant.
    OperationId
);
id!(
    /// A super-admin.
    AdminId
);
id!(
    /// An agent: a user inside a tenant.
    AgentId
);
id!(
    /// An operator acting in the name of an agent.
    ImpersonationId
);

impl TenantId {
    /// The prefix of the tenant's objects in the bucket, with its slash.
    pub fn object_prefix(self) -> String {
        format!("tenants/{self}/")
    }
}
