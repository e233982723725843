//! Query parameters, read strictly: what is unknown, repeated or wrong is refused, all of it at once.

use std::{convert::Infallible, fmt::Display};

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::error::{Error, InputError, Location};

/// The query of a request, from which a handler takes what it knows; [`QueryReader::finish`] refuses the rest.
#[derive(Debug)]
pub struct QueryReader {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
    faults: Vec<InputError>,
}

impl QueryReader {
    fn new(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { pairs, known: Vec::new(), faults: Vec::new() }
    }

    /// Takes a parameter, if it is there, and parses it. An empty one counts as absent.
    pub fn take<T, E: Display>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        self.known.push(name);
        let mut values = self.pairs.extract_if(.., |(key, _)| key == name).map(|(_, value)| value);
        let value = values.next()?;
        let repeated = values.next().is_some();
        drop(values);
        if repeated {
            self.fault(name, "is given more than once");
            return None;
        }
        if value.is_empty() {
            return None;
        }
        match parse(&value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(name, error.to_string());
                None
            }
        }
    }

    /// As [`Self::take`], of a parameter that has to be there. [`Self::finish_with`] gives it.
    pub fn require<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let faults = self.faults.len();
        let value = self.take(name, parse);
        if value.is_none() && self.faults.len() == faults {
            self.fault(name, "is required");
        }
        value
    }

    /// As [`Self::finish`]; gives what [`Self::require`] took.
    pub fn finish_with<T>(self, required: Option<T>) -> Result<T, Error> {
        self.finish()?;
        required.ok_or_else(|| Error::internal("a parameter that is required was not, and no fault was found"))
    }

    /// Refuses what was not taken, and every fault so far.
    pub fn finish(mut self) -> Result<(), Error> {
        let known = self.known.join(", ");
        for (name, _) in std::mem::take(&mut self.pairs) {
            let name: String = name.chars().take(64).collect();
            self.fault(name, format!("is not a parameter here, where there are {known}"));
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Error::Invalid(self.faults)) }
    }

    fn fault(&mut self, name: impl Into<String>, detail: impl Into<String>) {
        self.faults.push(InputError { location: Location::Query(name.into()), detail: detail.into() });
    }
}

impl<S: Send + Sync> FromRequestParts<S> for QueryReader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::new(parts.uri.query().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_query_is_told_at_once() {
        let mut query = QueryReader::new("limit=x&colour=red&limit2=1&status=a&status=b");
        query.take("limit", str::parse::<u16>);
        query.take("status", str::parse::<String>);
        let Err(Error::Invalid(faults)) = query.finish() else { panic!("accepted") };
        let names: Vec<_> = faults.iter().map(|fault| fault.location.clone()).collect();
        for name in ["limit", "status", "colour", "limit2"] {
            assert!(names.contains(&Location::Query(name.to_owned())), "{name}: {names:?}");
        }
    }
}
