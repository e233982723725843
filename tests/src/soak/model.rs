//! What a tenant must look like after its life.

use std::collections::BTreeMap;

use uuid::Uuid;

/// What the accepted requests amount to. One task sends all requests about a tenant, one after the other.
pub(super) struct TenantModel {
    pub(super) slug: String,
    /// `None` if its creation was never accepted.
    pub(super) id: Option<Uuid>,
    pub(super) name: String,
    pub(super) status: &'static str,
    pub(super) max_agents: i64,
    pub(super) users: BTreeMap<Uuid, UserModel>,
    /// Impersonations, and whether they were ended.
    pub(super) impersonations: BTreeMap<Uuid, bool>,
    /// What must not happen, and did: requests without a certain outcome, a provisioning that failed.
    pub(super) complaints: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UserModel {
    pub(super) email: String,
    pub(super) full_name: String,
    pub(super) role: &'static str,
    pub(super) status: &'static str,
}

impl TenantModel {
    pub(super) fn new(seed: u64, index: u32) -> Self {
        Self {
            // The seed can be used again on the same stack.
            slug: format!("soak-{seed}-{index}-{}", &Uuid::now_v7().simple().to_string()[..12]),
            id: None,
            name: format!("Tenant {index}"),
            status: "active",
            max_agents: 60,
            users: BTreeMap::new(),
            impersonations: BTreeMap::new(),
            complaints: Vec::new(),
        }
    }
}
