//! `--follow`: new items of a list, as they appear. `--watch`: the same request again and again.

use std::{
    collections::HashMap,
    io::{self, Write},
    thread,
    time::Duration,
};

use serde_json::{Value, value::RawValue};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    client::{Answer, Client},
    document::{Operation, Place},
    error::{CliError, Exit, Result},
    output::{self, Format, ListPrinter, Style, print_value},
    pages::{Pages, items},
    problem,
    request::ApiRequest,
};

/// Items before the first request that are printed, unless `--limit` or a time is given.
const DEFAULT_EARLIER: u64 = 10;

/// Items that the first request asks for. Those that are not printed must not appear later as if they were new.
const FIRST_PAGE: u64 = 1000;

/// An item can become visible after a newer one, because transactions commit in another order than they begin. Each request
/// therefore asks again for the last seconds.
const OVERLAP: time::Duration = time::Duration::seconds(30);

/// The order of a list that can be followed: it can be sorted by time in both directions, and selected from a time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order<'a> {
    /// The parameter `sort` for the oldest first; also the field of the time.
    field: &'a str,
    /// The parameter that selects from a time on.
    since: &'a str,
}

impl<'a> Order<'a> {
    pub(crate) fn of(operation: &'a Operation) -> Option<Self> {
        let sort = operation.parameter(Place::Query, "sort").filter(|_| operation.has_pages())?;
        let field = sort.default.as_deref()?.strip_prefix('-')?;
        let parameters = ["since", "created_since"].into_iter();
        let since = parameters.into_iter().find_map(|name| operation.parameter(Place::Query, name))?;
        Some(Self { field, since: &since.name })
    }
}

/// What has been printed.
#[derive(Default)]
struct Printed {
    /// The times of the newest items, by id. Older ones are forgotten.
    recent: HashMap<String, OffsetDateTime>,
    newest: Option<OffsetDateTime>,
}

impl Printed {
    /// From when on the next request asks.
    fn boundary(&self) -> Option<OffsetDateTime> {
        self.newest.and_then(|newest| newest.checked_sub(OVERLAP))
    }

    /// Whether an item is new; it counts as printed then.
    fn add(&mut self, item: &RawValue, order: Order<'_>) -> Result<bool> {
        let malformed = || CliError::failed("error: an item of the response has no id or no time");
        let value: Value = serde_json::from_str(item.get()).map_err(|_| malformed())?;
        let id = value["id"].as_str().ok_or_else(malformed)?;
        let time = value[order.field].as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
        let time = time.ok_or_else(malformed)?;
        self.newest = self.newest.max(Some(time));
        Ok(self.recent.insert(id.to_owned(), time).is_none())
    }

    fn forget(&mut self) {
        if let Some(boundary) = self.boundary() {
            self.recent.retain(|_, time| *time >= boundary);
        }
    }
}

/// Prints the newest items, and then new ones until the process is interrupted.
pub(crate) fn follow(
    client: &Client,
    operation: &Operation,
    style: &Style,
    request: &ApiRequest,
    earlier: Option<u64>,
    pause: Duration,
) -> Result<Exit> {
    let order = Order::of(operation).ok_or_else(|| CliError::usage("error: this list cannot be followed"))?;
    let mut list = ListPrinter::endless(output::stdout(), style, &operation.response.fields);
    let mut printed = Printed::default();
    let mut ascending = request.clone();
    ascending.remove_query("cursor");
    ascending.set_query("sort", order.field.to_owned());
    if request.query_value(order.since).is_none() {
        let mut newest = ascending.clone();
        newest.set_query("sort", format!("-{}", order.field));
        let mut pages = Pages::new(client, operation, style.format, newest);
        if let Some(answer) = pages.next(Some(FIRST_PAGE))? {
            let mut found = items(&answer)?;
            for item in &found {
                printed.add(item, order)?;
            }
            found.truncate(usize::try_from(earlier.unwrap_or(DEFAULT_EARLIER)).unwrap_or(usize::MAX));
            found.reverse();
            list.print(&found)?;
        }
    }
    let mut patience = Patience::new(pause);
    loop {
        if let Some(boundary) = printed.boundary() {
            let text = boundary.format(&Rfc3339).map_err(|error| CliError::failed(format!("error: {error}")))?;
            ascending.set_query(order.since, text);
        }
        let mut pages = Pages::new(client, operation, Format::Table, ascending.clone());
        let polled = loop {
            match pages.next(None) {
                Ok(None) => break Ok(()),
                Ok(Some(answer)) => {
                    let mut new = Vec::new();
                    for item in items(&answer)? {
                        if printed.add(item, order)? {
                            new.push(item);
                        }
                    }
                    list.print(&new)?;
                }
                Err(error) => break Err(error),
            }
        };
        printed.forget();
        patience.pause_after(polled)?;
    }
}

/// Repeats a request until the process is interrupted.
pub(crate) fn watch(
    client: &Client,
    operation: &Operation,
    style: &Style,
    request: &ApiRequest,
    pause: Duration,
) -> Result<Exit> {
    let mut out = io::stdout().lock();
    let mut rows = ListPrinter::endless(io::stdout(), style, &operation.response.fields);
    let mut patience = Patience::new(pause);
    loop {
        let polled = client.send(request).and_then(|answer| {
            let value = reported(operation, &answer)
                .ok_or_else(|| problem::refusal(&answer, Some(operation), Format::Table))?;
            match style.format {
                Format::Table => {
                    // The screen shows the newest response only.
                    write!(out, "{}", if style.terminal_width.is_some() { "\x1b[H\x1b[2J" } else { "" })?;
                    print_value(&mut out, style, &operation.response.fields, &value)?;
                    writeln!(out)?;
                    out.flush()?;
                }
                Format::Json | Format::Csv => rows.print_values(&[value])?,
            }
            Ok(())
        });
        patience.pause_after(polled)?;
    }
}

/// The body of a success, or of a failure that has the same body.
pub(crate) fn reported(operation: &Operation, answer: &Answer) -> Option<Value> {
    let is_reported =
        answer.media_type() == "application/json" && operation.response.reported_failures.contains(&answer.status);
    if !answer.is_success() && !is_reported {
        return None;
    }
    let value: Value = serde_json::from_str(&answer.body).ok()?;
    // A gateway may answer with the same status and an object of its own.
    let has_field = |name: &String| value.get(name).is_some();
    let is_own =
        answer.is_success() || operation.response.fields.iter().any(|field| field.path.first().is_some_and(has_field));
    is_own.then_some(value)
}

/// Pauses between requests, longer while the API fails for a reason that may pass.
struct Patience {
    pause: Duration,
    failures: u32,
}

impl Patience {
    fn new(pause: Duration) -> Self {
        Self { pause, failures: 0 }
    }

    /// Returns the error if repeating the request is of no use.
    fn pause_after(&mut self, polled: Result<()>) -> Result<()> {
        match polled {
            Ok(()) => self.failures = 0,
            Err(error) if error.is_transient() => {
                if self.failures == 0 {
                    eprintln!("{error}\nTrying again.");
                }
                self.failures = (self.failures + 1).min(5);
            }
            Err(error) => return Err(error),
        }
        let longest = Duration::from_mins(1).max(self.pause);
        thread::sleep((self.pause * 2_u32.pow(self.failures)).min(longest));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    #[test]
    fn the_audit_log_can_be_followed_and_a_list_without_a_time_cannot() {
        let document = Document::embedded().unwrap();
        let order = |path: &str| document.find("GET", path).and_then(Order::of);
        assert_eq!(order("/api/super-admin/audit"), Some(Order { field: "at", since: "since" }));
        let operations = order("/api/super-admin/operations");
        assert_eq!(operations, Some(Order { field: "created_at", since: "created_since" }));
        assert_eq!(order("/api/super-admin/dead-letters"), None);
        assert_eq!(order("/api/super-admin/tenants/{id}"), None);
    }

    #[test]
    fn an_item_is_new_once_and_old_ones_are_forgotten() {
        let order = Order { field: "at", since: "since" };
        let mut printed = Printed::default();
        let item = |id: &str, at: &str| RawValue::from_string(format!(r#"{{"id":"{id}","at":"{at}"}}"#)).unwrap();
        assert!(printed.add(&item("a", "2026-01-01T00:00:00Z"), order).unwrap());
        assert!(printed.add(&item("b", "2026-01-01T00:00:10.5Z"), order).unwrap());
        assert!(!printed.add(&item("a", "2026-01-01T00:00:00Z"), order).unwrap());
        // Committed late.
        assert!(printed.add(&item("c", "2026-01-01T00:00:05Z"), order).unwrap());
        assert!(printed.add(&item("d", "2026-01-01T00:05:00Z"), order).unwrap());
        printed.forget();
        assert_eq!(printed.recent.keys().collect::<Vec<_>>(), ["d"]);
        assert!(printed.add(&RawValue::from_string("{}".into()).unwrap(), order).is_err());
    }
}
