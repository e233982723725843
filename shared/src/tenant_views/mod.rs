//! Tenants as the API returns them, with what the parameter `include` adds.

use std::{collections::HashMap, str::FromStr};

use deadpool_postgres::GenericClient;
use serde::Serialize;

use crate::{
    error::Result,
    operations::{self, Operation},
    tenants::Tenant,
    types::{InvalidValue, Month, TenantId, Values},
    usage::{self, ReachedLimit, Usage, UsageRecord},
};

/// What a response adds to each tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantInclude {
    /// The stored figures of the tenant's usage.
    Usage,
    /// The newest operation on the tenant's databases.
    Operation,
    /// The limits that the tenant has reached.
    LimitsReached,
}

inline_schema!(TenantInclude, String { enum_values: ["usage", "operation", "limits_reached"] });
inline_parameter!(TenantInclude, str::parse);

impl FromStr for TenantInclude {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "usage" => Ok(Self::Usage),
            "operation" => Ok(Self::Operation),
            "limits_reached" => Ok(Self::LimitsReached),
            _ => Err(InvalidValue::one_of(&["usage", "operation", "limits_reached"])),
        }
    }
}

query_parameters! {
    /// What the response adds to tenants.
    #[derive(Debug, Clone, Default)]
    pub struct IncludeParameters {
        /// The fields to add to each tenant, separated by commas
        pub include: Option<Values<TenantInclude>>,
    }
}

/// A tenant, with the fields that `include` names.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = OrganizationView)]
pub struct TenantView {
    #[serde(flatten)]
    pub tenant: Tenant,
    /// Usage, with `include=usage`; otherwise absent. The messages are those that were counted up to a minute ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub usage: Option<Usage>,
    /// The newest operation on the tenant's databases, with `include=operation`; otherwise absent. `null` if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Option<Operation>>,
    /// The limits that the tenant has reached, and the services that act on them, with `include=limits_reached`; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub limits_reached: Option<Vec<ReachedLimit>>,
}

/// Adds to tenants what `include` names. Each kind takes one query.
pub async fn expand(
    client: &impl GenericClient,
    tenants: Vec<Tenant>,
    IncludeParameters { include }: &IncludeParameters,
) -> Result<Vec<TenantView>> {
    let wants = |what| include.as_ref().is_some_and(|include| include.as_slice().contains(&what));
    let (with_usage, with_operation) = (wants(TenantInclude::Usage), wants(TenantInclude::Operation));
    let with_limits = wants(TenantInclude::LimitsReached);
    let ids: Vec<TenantId> = tenants.iter().map(|tenant| tenant.id).collect();
    let mut records = HashMap::new();
    if with_usage {
        records.extend(usage::store::list_records_of(client, &ids).await?);
    }
    let mut newest = HashMap::new();
    if with_operation {
        let operations = operations::store::list_newest_of(client, &ids).await?;
        newest.extend(operations.into_iter().map(|operation| (operation.tenant_id, operation)));
    }
    let mut reached = HashMap::new();
    if with_limits {
        reached.extend(usage::store::limits::list_reached(client, &ids).await?);
    }
    let month = Month::current();
    let view = |tenant: Tenant| {
        let (record, counted) = records.get(&tenant.id).copied().unwrap_or((UsageRecord::default(), None));
        let usage = with_usage.then(|| Usage::new(record, &tenant.limits, month, counted));
        let operation = with_operation.then(|| newest.remove(&tenant.id));
        let limits_reached = with_limits.then(|| reached.remove(&tenant.id).unwrap_or_default());
        TenantView { tenant, usage, operation, limits_reached }
    };
    Ok(tenants.into_iter().map(view).collect())
}
