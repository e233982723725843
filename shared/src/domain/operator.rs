//! Operators of the platform, the super-admins, and what each may do.

use serde::Serialize;
use time::OffsetDateTime;

use super::{AdminId, InvalidValue, timestamp};

word!(
    /// What an operator may do.
    OperatorRole {
        /// Everything.
        Owner = "owner",
        /// Everything but administering operators, and acting in a user's name with the right to write.
        Operator = "operator",
        /// Reading.
        Viewer = "viewer",
    }
);

impl OperatorRole {
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

word!(
    /// Whether an operator may do anything.
    OperatorStatus {
        /// What the role says.
        Active = "active",
        /// Nothing: tokens are refused at once.
        Disabled = "disabled",
    }
);

/// An operator of the platform, a super-admin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Operator {
    /// Id.
    pub id: AdminId,
    /// E-mail address, unique without regard to case.
    #[cfg_attr(feature = "http", schema(format = Email, example = "ada@landlord.example"))]
    pub email: String,
    /// What they may do.
    pub role: OperatorRole,
    /// Whether they may do it.
    pub status: OperatorStatus,
    /// Who they are to the platform's identity provider; `null` for those who sign in here.
    #[cfg_attr(feature = "http", schema(required = true, example = json!(null)))]
    pub subject: Option<String>,
    /// When they were added.
    #[serde(serialize_with = "timestamp")]
    pub created_at: OffsetDateTime,
    /// When anything of this changed.
    #[serde(serialize_with = "timestamp")]
    pub updated_at: OffsetDateTime,
    /// Counts every change.
    #[serde(skip)]
    pub revision: i64,
}

/// Who someone is to the platform's identity provider: 1 to 255 visible characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSubject(String);

impl ProviderSubject {
    /// Validates.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        if (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidValue::new("must be 1 to 255 visible ASCII characters"))
        }
    }

    /// The subject.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_those_below_it_may() {
        use OperatorRole::{Operator, Owner, Viewer};
        for (has, may) in [(Owner, 3), (Operator, 2), (Viewer, 1)] {
            assert_eq!(OperatorRole::ALL.iter().filter(|needed| has.allows(**needed)).count(), may);
            assert!(has.allows(has) && has.allows(Viewer));
            assert_eq!(has.as_str().parse(), Ok(has));
        }
    }
}
