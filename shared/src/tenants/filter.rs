//! Query parameters that filter lists of tenants.

use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use crate::{
    http::{QueryReader, named, query_parameter, single_line_text},
    tenants::{TenantStatus, store::TenantFilter},
    types::{Country, SearchText},
};

/// Reads the parameters `status`, `country` and `search`.
pub fn tenant_filter(query: &mut QueryReader) -> TenantFilter {
    TenantFilter {
        status: query.take("status", str::parse),
        country: query.take("country", Country::parse),
        search: query.take("search", SearchText::parse),
    }
}

/// The parameters that [`tenant_filter`] reads.
#[derive(Debug)]
pub struct TenantFilters;

impl IntoParams for TenantFilters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query_parameter("status", named::<TenantStatus>(), "Only tenants with this status"),
            query_parameter("country", named::<Country>(), "Only tenants in this country"),
            query_parameter(
                "search",
                single_line_text(),
                "Only tenants whose name or slug contains this text, ignoring case",
            ),
        ]
    }
}
