//! The filters of lists of tenants.

use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use crate::{
    http::{QueryReader, named, query_parameter, single_line_text},
    tenants::{TenantStatus, store::TenantFilter},
    types::{Country, SearchText},
};

/// Takes `status`, `country` and `search`.
pub fn tenant_filter(query: &mut QueryReader) -> TenantFilter {
    TenantFilter {
        status: query.take("status", str::parse),
        country: query.take("country", Country::parse),
        search: query.take("search", SearchText::parse),
    }
}

/// The parameters that [`tenant_filter`] takes.
#[derive(Debug)]
pub struct TenantFilters;

impl IntoParams for TenantFilters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query_parameter("status", named::<TenantStatus>(), "Only this status"),
            query_parameter("country", named::<Country>(), "Only this country"),
            query_parameter(
                "search",
                single_line_text(),
                "Only where this is in the name or the slug, without regard to case",
            ),
        ]
    }
}
