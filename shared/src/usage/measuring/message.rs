//! The message of the queue: `{"tenant_ids": ["…"]}`.

use serde::Deserialize;

use crate::types::TenantId;

/// The greatest number of tenants in one message.
pub const TENANTS_PER_MESSAGE: usize = 25;

/// The tenants to measure.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasureMessage {
    pub tenant_ids: Vec<TenantId>,
}

impl MeasureMessage {
    /// Reads the body of a message. The error describes what is wrong, without the body.
    pub fn parse(body: &str) -> Result<Self, String> {
        let message: Self = serde_json::from_str(body).map_err(|error| error.to_string())?;
        match message.tenant_ids.len() {
            1..=TENANTS_PER_MESSAGE => Ok(message),
            count => Err(format!("expected 1 to {TENANTS_PER_MESSAGE} tenants, found {count}")),
        }
    }
}
