//! Why a tenant is suspended, and which services have confirmed it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    types::{Microservice, single_line, timestamp},
};

keyword_enum!(
    /// Why a tenant is suspended.
    #[derive(Deserialize)]
    SuspensionReason {
        /// Invoices are overdue.
        Unpaid = "unpaid",
        /// The tenant's users break the terms of use, such as by sending spam.
        Abuse = "abuse",
        /// Somebody else may have access to the tenant's accounts.
        Security = "security",
        /// A court or an authority demands it.
        Legal = "legal",
        /// The tenant has asked for it.
        Requested = "requested",
        /// The tenant is a copy that was restored from an export, and is not to do its work a second time.
        RestoredCopy = "restored_copy",
        /// Another reason.
        Other = "other",
    }
);

string_type! {
    /// More about a suspension: 1–500 characters after trimming, in one visible line.
    SuspensionComment {
        parse: |text| single_line(text, 1, 500),
        schema: { format: "single-line", min_length: 1, max_length: 500, example: "Three invoices are overdue" },
    }
}

/// A suspension: since when and why, and which services have confirmed that they refuse the tenant's users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Suspension {
    /// Id (UUIDv7), which services name when they confirm the suspension.
    pub id: Uuid,
    /// When a super-admin requested it.
    #[serde(serialize_with = "timestamp", deserialize_with = "time::serde::rfc3339::deserialize")]
    pub requested_at: OffsetDateTime,
    /// Why.
    pub reason: SuspensionReason,
    /// More about it.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub comment: Option<String>,
    /// The services that have confirmed that they refuse the tenant's users.
    #[cfg_attr(feature = "http", schema(example = json!(["ws-server"])))]
    pub acknowledged_by: Vec<String>,
    /// The services that have not.
    #[serde(default)]
    #[cfg_attr(feature = "http", schema(example = json!(["webhook-ingestor", "ai-agent", "billing-service"])))]
    pub pending: Vec<String>,
}

impl Suspension {
    /// A suspension that begins now.
    pub fn begin(reason: SuspensionReason, comment: Option<&SuspensionComment>) -> Self {
        Self {
            id: Uuid::now_v7(),
            requested_at: OffsetDateTime::now_utc(),
            reason,
            comment: comment.map(ToString::to_string),
            acknowledged_by: Vec::new(),
            pending: Vec::new(),
        }
        .with_pending()
    }

    /// Reads the column `suspension`.
    pub(super) fn read(column: Option<Value>) -> Result<Option<Self>> {
        let stored = column.map(serde_json::from_value::<Self>).transpose().map_err(Error::internal)?;
        Ok(stored.map(Self::with_pending))
    }

    fn with_pending(self) -> Self {
        let pending = Microservice::all_but(&self.acknowledged_by);
        Self { pending, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_pending_until_it_has_confirmed_the_suspension() {
        let mut suspension = Suspension::begin(SuspensionReason::Unpaid, None);
        assert_eq!(suspension.pending.len(), Microservice::ALL.len());
        suspension.acknowledged_by.push("ws-server".to_owned());
        let stored = serde_json::to_value(&suspension).unwrap();
        let read = Suspension::read(Some(stored)).unwrap().unwrap();
        assert_eq!(read.pending, ["webhook-ingestor", "ai-agent", "billing-service"]);
        assert_eq!(Suspension::read(None).unwrap(), None);
    }
}
