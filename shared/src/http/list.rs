//! Requests for a page of a list: its filters, `limit` and `cursor`.

use axum::{extract::FromRequestParts, http::Uri, http::request::Parts, response::Response};
use serde::Serialize;
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use crate::error::Error;
use crate::http::{Page, Paging, Problem, QueryParameters, QueryReader};
use crate::types::{Cursor, PageLimit};

/// The parameters of a list that is sorted newest first.
pub trait ListParameters: QueryParameters {
    /// The name of the list in its cursors.
    const LIST: &str;
}

/// A request for a page of a list that is sorted newest first. It is an extractor, and describes all its parameters in
/// `params(ListRequest<TenantFilter>)`.
///
/// ```ignore
/// async fn list_tenants(reader: MayRead, request: ListRequest<TenantFilter>) -> Result<Response> {
///     let tenants = reader.admit(store::list(reader.client(), &request.filter, request.cursor, request.limit)).await?;
///     request.page(&tenants, |tenant| Cursor { created_at: tenant.created_at, id: tenant.id.0 })
/// }
/// ```
#[derive(Debug, Clone)]
pub struct ListRequest<T> {
    pub filter: T,
    /// The end of the previous page.
    pub cursor: Option<Cursor>,
    pub limit: PageLimit,
    uri: Uri,
}

impl<T: ListParameters> ListRequest<T> {
    /// Reads a query that has the parameters of the list and no others. For handlers that check the caller first; others take
    /// the request as an extractor.
    pub fn read(mut query: QueryReader) -> Result<Self, Error> {
        let uri = query.uri().clone();
        let filter = T::take_all(&mut query);
        let limit = query.take("limit", PageLimit::parse).unwrap_or_default();
        let cursor = query.take("cursor", |text| Cursor::decode(text, T::LIST));
        Ok(Self { filter: query.finish_with(filter)?, cursor, limit, uri })
    }

    /// The page of `items`, of which there is one more than the limit where the list continues.
    pub fn page<I: Serialize>(&self, items: &[I], cursor: impl Fn(&I) -> Cursor) -> Result<Response, Problem> {
        Ok(Page::new(T::LIST, items, self.limit, cursor)?.into_response(&self.uri))
    }
}

impl<S: Send + Sync, T: ListParameters> FromRequestParts<S> for ListRequest<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self::read(QueryReader::new(parts.uri.clone()))?)
    }
}

impl<T: QueryParameters> IntoParams for ListRequest<T> {
    fn into_params(parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = T::describe_all();
        parameters.extend(Paging::into_params(parameter_in));
        parameters
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;

    query_parameters! {
        #[derive(Debug)]
        struct ThingFilter {
            /// Only live things
            live: Option<bool>,
        }
    }

    impl ListParameters for ThingFilter {
        const LIST: &str = "things";
    }

    #[test]
    fn the_link_of_a_page_leads_to_the_rest_of_the_list() {
        let query = |uri: &str| QueryReader::new(uri.parse().unwrap());
        let request = ListRequest::<ThingFilter>::read(query("/things?live=true&limit=1")).unwrap();
        let at = |id: &u128| Cursor { created_at: OffsetDateTime::UNIX_EPOCH, id: Uuid::from_u128(*id) };
        let response = request.page(&[7_u128, 6], at).unwrap();
        let link = response.headers()[header::LINK].to_str().unwrap();
        let next = link.trim_start_matches('<').split_once('>').unwrap().0;
        let request = ListRequest::<ThingFilter>::read(query(next)).unwrap();
        assert_eq!(request.filter.live, Some(true));
        assert_eq!(request.cursor, Some(at(&7)));
    }
}
