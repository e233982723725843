//! The filters of lists of tenants.

use super::QueryReader;
use crate::{
    domain::{Country, SearchText},
    store::tenants::TenantFilter,
};

/// Takes `status`, `country` and `search`.
pub fn tenant_filter(query: &mut QueryReader) -> TenantFilter {
    TenantFilter {
        status: query.take("status", str::parse),
        country: query.take("country", Country::parse),
        search: query.take("search", SearchText::parse),
    }
}
