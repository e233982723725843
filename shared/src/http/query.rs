//! Query parameters, read strictly: unknown, repeated and invalid ones are rejected, all at once. Only parameters with several
//! values may be repeated.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{Uri, request::Parts},
};
use utoipa::openapi::{
    Required as IsRequired,
    path::{Parameter, ParameterBuilder},
};

use crate::error::{Error, InputError, Location};
use crate::http::{
    Problem,
    body::{null_character, required},
    openapi::query_parameter,
};
use crate::types::{FaultCode, InvalidValue, ParameterValue};

/// The query of a request. A handler takes the parameters that it accepts; [`QueryReader::finish`] rejects the rest.
#[derive(Debug)]
pub struct QueryReader {
    uri: Uri,
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
    errors: Vec<InputError>,
}

impl QueryReader {
    pub(super) fn new(uri: Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { uri, pairs, known: Vec::new(), errors: Vec::new() }
    }

    /// The request's path and query.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Parses a parameter, if the query has it. An empty one counts as absent, and a repeated one is rejected.
    pub fn take<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, InvalidValue>) -> Option<T> {
        self.take_repeatable(name, false, parse)
    }

    fn take_repeatable<T>(
        &mut self,
        name: &'static str,
        may_repeat: bool,
        parse: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        self.known.push(name);
        let mut values = self.pairs.extract_if(.., |(key, _)| key == name).map(|(_, value)| value);
        let mut value = values.next()?;
        let rest: Vec<String> = values.collect();
        if !rest.is_empty() && !may_repeat {
            self.reject(name, InvalidValue::new(FaultCode::Repeated, "is given more than once"));
            return None;
        }
        for further in rest {
            value = format!("{value},{further}");
        }
        if value.is_empty() {
            return None;
        }
        if value.contains('\0') {
            self.reject(name, null_character());
            return None;
        }
        match parse(&value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.reject(name, error);
                None
            }
        }
    }

    /// As [`Self::take`], and rejects a query without the parameter. [`Self::finish_with`] unwraps the result.
    pub fn require<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, InvalidValue>) -> Option<T> {
        let errors = self.errors.len();
        let value = self.take(name, parse);
        if value.is_none() && self.errors.len() == errors {
            self.reject(name, required());
        }
        value
    }

    /// As [`Self::finish`], and returns what [`Self::require`] took.
    pub fn finish_with<T>(self, required: Option<T>) -> Result<T, Error> {
        self.finish()?;
        required.ok_or_else(|| Error::internal("a required parameter is absent, but no error was recorded"))
    }

    /// Rejects parameters that were not taken, together with every error so far.
    pub fn finish(mut self) -> Result<(), Error> {
        let known = self.known.join(", ");
        for (name, _) in std::mem::take(&mut self.pairs) {
            let name: String = name.chars().take(64).collect();
            let detail = if known.is_empty() {
                "unknown parameter; this operation takes none".to_owned()
            } else {
                format!("unknown parameter; expected one of {known}")
            };
            self.reject(name, InvalidValue::new(FaultCode::UnknownName, detail));
        }
        if self.errors.is_empty() { Ok(()) } else { Err(Error::Invalid(self.errors)) }
    }

    fn reject(&mut self, name: impl Into<String>, error: InvalidValue) {
        self.errors.push(InputError::new(Location::Query(name.into()), error));
    }
}

impl<S: Send + Sync> FromRequestParts<S> for QueryReader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::new(parts.uri.clone()))
    }
}

/// Something that is read from one or more query parameters: a parameter of its own, or the struct of a
/// [`query_parameters!`](crate::query_parameters) as a part of another one.
pub trait QueryField: Sized {
    /// `None` where an error was recorded.
    fn take(query: &mut QueryReader, name: &'static str) -> Option<Self>;

    fn describe(name: &str, description: &str) -> Vec<Parameter>;
}

impl<T: ParameterValue> QueryField for Option<T> {
    fn take(query: &mut QueryReader, name: &'static str) -> Option<Self> {
        Some(query.take_repeatable(name, T::MAY_REPEAT, T::parse_parameter))
    }

    fn describe(name: &str, description: &str) -> Vec<Parameter> {
        vec![query_parameter(name, T::parameter_schema(), description)]
    }
}

/// A parameter without which the query is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Required<T>(pub T);

impl<T: ParameterValue> QueryField for Required<T> {
    fn take(query: &mut QueryReader, name: &'static str) -> Option<Self> {
        query.require(name, T::parse_parameter).map(Self)
    }

    fn describe(name: &str, description: &str) -> Vec<Parameter> {
        let mut parameter = query_parameter(name, T::parameter_schema(), description);
        parameter.required = IsRequired::True;
        vec![parameter]
    }
}

/// Adds an example to the description of a parameter, for [`query_parameters!`](crate::query_parameters).
pub fn with_example(parameters: Vec<Parameter>, example: Option<&str>) -> Vec<Parameter> {
    let Some(example) = example else { return parameters };
    let add = |parameter| ParameterBuilder::from(parameter).example(Some(example.into())).build();
    parameters.into_iter().map(add).collect()
}

/// A struct of query parameters, defined with [`query_parameters!`](crate::query_parameters).
pub trait QueryParameters: Sized {
    /// Takes the parameters. `None` where an error was recorded.
    fn take_all(query: &mut QueryReader) -> Option<Self>;

    fn describe_all() -> Vec<Parameter>;

    /// Reads a query that has these parameters and no others.
    fn read(mut query: QueryReader) -> Result<Self, Error> {
        let parameters = Self::take_all(&mut query);
        query.finish_with(parameters)
    }
}

/// The parameters in the query of a URI.
pub fn uri_query<T: QueryParameters>(uri: &Uri) -> Result<T, Error> {
    T::read(QueryReader::new(uri.clone()))
}

/// The extractor of [`QueryParameters`].
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: QueryParameters> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(uri_query(&parts.uri)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Country, TenantId};

    query_parameters! {
        #[derive(Debug)]
        struct CountryParameters {
            /// Only this country
            #[example = "ID"]
            country: Option<Country>,
        }
    }

    query_parameters! {
        #[derive(Debug)]
        struct ThingParameters {
            /// The tenant
            /// of the things
            tenant_id: Required<TenantId>,
            /// Only these
            live: Option<bool>,
            place: CountryParameters,
        }
    }

    fn reader(query: &str) -> QueryReader {
        QueryReader::new(format!("/things?{query}").parse().unwrap())
    }

    fn rejected(query: &str) -> Vec<String> {
        let Err(Error::Invalid(errors)) = ThingParameters::read(reader(query)) else { panic!("accepted: {query}") };
        let mut names: Vec<_> = errors
            .into_iter()
            .map(|error| if let Location::Query(name) = error.location { name } else { "elsewhere".to_owned() })
            .collect();
        names.sort();
        names
    }

    #[test]
    fn all_errors_of_a_query_are_reported_at_once() {
        assert_eq!(rejected("live=x&colour=red&country=de"), ["colour", "country", "live", "tenant_id"]);
        assert_eq!(rejected(&format!("tenant_id={0}&tenant_id={0}", TenantId::EXAMPLE)), ["tenant_id"]);
        assert_eq!(rejected("tenant_id="), ["tenant_id"]);
    }

    #[test]
    fn parameters_are_read_into_the_struct_and_its_parts() {
        let wanted =
            ThingParameters::read(reader(&format!("live=&country=ID&tenant_id={}", TenantId::EXAMPLE))).unwrap();
        assert_eq!(wanted.tenant_id.0.to_string(), TenantId::EXAMPLE);
        assert_eq!(wanted.live, None);
        assert_eq!(wanted.place.country.unwrap().as_str(), "ID");
    }

    #[test]
    fn parameters_are_described_in_order() {
        let described = ThingParameters::describe_all();
        let names: Vec<_> = described.iter().map(|parameter| parameter.name.as_str()).collect();
        assert_eq!(names, ["tenant_id", "live", "country"]);
        assert_eq!(described[0].description.as_deref(), Some("The tenant\nof the things"));
        assert!(described[0].required == IsRequired::True && described[1].required == IsRequired::False);
    }

    #[test]
    fn a_parameter_has_its_example() {
        let described = serde_json::to_value(ThingParameters::describe_all()).unwrap();
        assert_eq!(described[1].get("example"), None);
        assert_eq!(described[2]["example"], "ID");
    }
}
