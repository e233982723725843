//! A limit that a tenant has reached, and which services act on it.

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    types::{Microservice, timestamp},
    usage::Figure,
};

/// A limit that a tenant has reached and is not below again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ReachedLimit {
    /// Id, which services name when they confirm that they act on it.
    pub id: Uuid,
    /// The figure that has reached its limit.
    pub figure: Figure,
    /// Since when.
    #[serde(serialize_with = "timestamp")]
    pub reached_at: OffsetDateTime,
    /// The services that have confirmed that they act on it, as the tenant's `on_limit` demands.
    #[cfg_attr(feature = "http", schema(example = json!(["webhook-ingestor"])))]
    pub acknowledged_by: Vec<String>,
    /// The services that have not.
    #[cfg_attr(feature = "http", schema(example = json!(["ws-server", "ai-agent", "billing-service"])))]
    pub pending: Vec<String>,
}

impl ReachedLimit {
    pub(super) fn new(id: Uuid, figure: Figure, reached_at: OffsetDateTime, acknowledged_by: Vec<String>) -> Self {
        let pending = Microservice::all_but(&acknowledged_by);
        Self { id, figure, reached_at, acknowledged_by, pending }
    }
}
