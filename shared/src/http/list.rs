//! Requests for a page of a list: its filters, `sort`, `limit`, `cursor` and `count`.

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, Uri, request::Parts},
    response::Response,
};
use serde::Serialize;
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Type,
        path::{Parameter, ParameterIn},
    },
};

use crate::error::Error;
use crate::http::{Counting, IfNoneMatch, Page, Paging, Problem, QueryParameters, QueryReader, query_parameter};
use crate::types::{Count, Cursor, InvalidValue, PageLimit, PageRequest, ParameterValue, TimeOrder};

/// The parameters of a list that is sorted by time.
pub trait ListParameters: QueryParameters {
    /// The name of the list in its cursors.
    const LIST: &str;

    /// The field that the list is sorted by.
    const TIME: &str = "created_at";

    /// Whether the list can be counted, with `count=true`.
    const IS_COUNTED: bool = false;
}

/// A request for a page of a list that is sorted by time. It is an extractor, and describes all its parameters in
/// `params(ListRequest<TenantFilter>)`.
///
/// ```ignore
/// async fn list_tenants(reader: MayRead, request: ListRequest<TenantFilter>) -> Result<Response> {
///     let tenants = reader.admit(store::list(reader.client(), &request.filter, request.at)).await?;
///     request.page(&tenants, |tenant| Cursor { created_at: tenant.created_at, id: tenant.id.0 })
/// }
/// ```
#[derive(Debug, Clone)]
pub struct ListRequest<T> {
    pub filter: T,
    /// The wanted page.
    pub at: PageRequest,
    wants_count: bool,
    uri: Uri,
}

impl<T: ListParameters> ListRequest<T> {
    /// Reads a query that has the parameters of the list and no others. For handlers that check the caller first; others take
    /// the request as an extractor.
    pub fn read(mut query: QueryReader) -> Result<Self, Error> {
        let uri = query.uri().clone();
        let filter = T::take_all(&mut query);
        let (order, is_valid) = take_order::<T>(&mut query);
        let limit = query.take("limit", PageLimit::parse).unwrap_or_default();
        let cursor = query.take("cursor", |text| {
            // The cursor of an unknown order cannot be checked.
            if is_valid { Cursor::decode(text, &name_of::<T>(order)).map(Some) } else { Ok(None) }
        });
        let wants_count = T::IS_COUNTED && query.take("count", bool::parse_parameter).unwrap_or_default();
        let at = PageRequest { order, cursor: cursor.flatten(), limit };
        Ok(Self { filter: query.finish_with(filter)?, at, wants_count, uri })
    }

    /// The count, if the request asks for it. `count` runs only then.
    pub async fn count(&self, count: impl Future<Output = Result<Count, Error>>) -> Result<Option<Count>, Error> {
        if self.wants_count { count.await.map(Some) } else { Ok(None) }
    }

    /// The page of `items`, of which there is one more than the limit where the list continues.
    pub fn page<I: Serialize>(&self, items: &[I], cursor: impl Fn(&I) -> Cursor) -> Result<Response, Problem> {
        Ok(Page::new(&name_of::<T>(self.at.order), items, self.at.limit, cursor)?.into_response(&self.uri))
    }

    /// As [`Self::page`] with an entity tag, or 304 if the client has the same page.
    pub fn page_unless_known<I: Serialize>(
        &self,
        items: &[I],
        if_none_match: &IfNoneMatch,
        cursor: impl Fn(&I) -> Cursor,
    ) -> Result<Response, Problem> {
        let page = Page::new(&name_of::<T>(self.at.order), items, self.at.limit, cursor)?;
        Ok(page.unless_known(&self.uri, if_none_match))
    }

    /// As [`Self::page`], with the result of [`Self::count`].
    pub fn counted_page<I: Serialize>(
        &self,
        items: &[I],
        count: Option<Count>,
        cursor: impl Fn(&I) -> Cursor,
    ) -> Result<Response, Problem> {
        let mut response = self.page(items, cursor)?;
        add_count(&mut response, count);
        Ok(response)
    }
}

/// Adds the headers `x-total-count`, and `x-total-count-relation`: `eq` for an exact count, and `gte` for a lower bound.
pub fn add_count(response: &mut Response, count: Option<Count>) {
    let Some(Count { number, is_exact }) = count else { return };
    let relation = HeaderValue::from_static(if is_exact { "eq" } else { "gte" });
    response.headers_mut().insert("x-total-count", number.into());
    response.headers_mut().insert("x-total-count-relation", relation);
}

/// The order, and whether the parameter is valid.
fn take_order<T: ListParameters>(query: &mut QueryReader) -> (TimeOrder, bool) {
    let mut is_valid = true;
    let order = query.take("sort", |text| {
        let (name, order) =
            text.strip_prefix('-').map_or((text, TimeOrder::OldestFirst), |name| (name, TimeOrder::NewestFirst));
        is_valid = name == T::TIME;
        if is_valid { Ok(order) } else { Err(InvalidValue::one_of(&[T::TIME, &format!("-{}", T::TIME)])) }
    });
    (order.unwrap_or_default(), is_valid)
}

/// The name of a list in its cursors. Each order has a name of its own, because a cursor is valid for one order only.
fn name_of<T: ListParameters>(order: TimeOrder) -> String {
    match order {
        TimeOrder::NewestFirst => T::LIST.to_owned(),
        TimeOrder::OldestFirst => format!("{}:{}", T::LIST, T::TIME),
    }
}

impl<S: Send + Sync, T: ListParameters> FromRequestParts<S> for ListRequest<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self::read(QueryReader::new(parts.uri.clone()))?)
    }
}

impl<T: ListParameters> IntoParams for ListRequest<T> {
    fn into_params(parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = T::describe_all();
        let newest_first = format!("-{}", T::TIME);
        let sort = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some([newest_first.as_str(), T::TIME]))
            .default(Some(newest_first.as_str().into()));
        parameters.push(query_parameter("sort", sort, "The order; with a leading -, the newest first"));
        parameters.extend(Paging::into_params(parameter_in));
        if T::IS_COUNTED {
            parameters.extend(Counting::into_params(|| None));
        }
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
        assert_eq!(request.at.cursor, Some(at(&7)));
    }

    #[test]
    fn a_cursor_is_valid_in_its_own_order_only() {
        let read = |uri: &str| ListRequest::<ThingFilter>::read(QueryReader::new(uri.parse().unwrap()));
        let at = |id: &u128| Cursor { created_at: OffsetDateTime::UNIX_EPOCH, id: Uuid::from_u128(*id) };
        let oldest_first = read("/things?sort=created_at&limit=1").unwrap();
        assert_eq!(oldest_first.at.order, TimeOrder::OldestFirst);
        let response = oldest_first.page(&[7_u128, 8], at).unwrap();
        let link = response.headers()[header::LINK].to_str().unwrap();
        let next = link.trim_start_matches('<').split_once('>').unwrap().0;
        assert_eq!(read(next).unwrap().at.cursor, Some(at(&7)));
        assert!(read(&next.replace("sort=created_at", "sort=-created_at")).is_err());
        for unknown in ["name", "-name", "--created_at", "created_at,-created_at"] {
            let Err(Error::Invalid(errors)) = read(&format!("/things?sort={unknown}&cursor=x")) else {
                panic!("{unknown}")
            };
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert_eq!(errors[0].detail, "must be one of created_at, -created_at");
        }
    }

    #[test]
    fn a_list_that_is_not_counted_rejects_the_parameter() {
        assert!(ListRequest::<ThingFilter>::read(QueryReader::new("/things?count=true".parse().unwrap())).is_err());
    }
}
