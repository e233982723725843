//! Lists whose pages are linked by cursors.

use std::{borrow::Cow, thread, time::Duration};

use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

use crate::{
    client::{Answer, Client},
    document::{Operation, Place},
    error::{CliError, Result},
    output::Format,
    problem,
    request::ApiRequest,
};

/// A page after the first is asked for again when the API is busy, so that a long list is not lost.
const MAX_RETRIES: u32 = 3;

const MAX_PAUSE: Duration = Duration::from_mins(1);

/// The pages of a list, one at a time.
pub(crate) struct Pages<'a> {
    client: &'a Client,
    operation: &'a Operation,
    format: Format,
    request: ApiRequest,
    read: u32,
    ended: bool,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(client: &'a Client, operation: &'a Operation, format: Format, request: ApiRequest) -> Self {
        Self { client, operation, format, request, read: 0, ended: false }
    }

    /// The next page with at most `wanted` items; `None` after the last one.
    pub(crate) fn next(&mut self, wanted: Option<u64>) -> Result<Option<Answer>> {
        if self.ended {
            return Ok(None);
        }
        if self.operation.has_pages() {
            let largest = self.operation.parameter(Place::Query, "limit").and_then(|limit| limit.maximum);
            if let Some(size) = wanted.into_iter().chain(largest).min() {
                self.request.set_query("limit", size.to_string());
            }
        }
        let answer = self.send()?;
        if !answer.is_success() {
            return Err(problem::refusal(&answer, Some(self.operation), self.format));
        }
        match answer.links().find_map(next_cursor) {
            Some(cursor) if self.operation.has_pages() => self.request.set_query("cursor", cursor),
            _ => self.ended = true,
        }
        self.read += 1;
        Ok(Some(answer))
    }

    fn send(&self) -> Result<Answer> {
        let mut retries = if self.read == 0 { 0 } else { MAX_RETRIES };
        loop {
            let answer = self.client.send(&self.request)?;
            if retries == 0 || !answer.is_transient() {
                return Ok(answer);
            }
            retries -= 1;
            let pause = answer.retry_after().unwrap_or(Duration::from_secs(1)).min(MAX_PAUSE);
            eprintln!(
                "The API answered {} after {} pages; trying again in {} s.",
                answer.status,
                self.read,
                pause.as_secs()
            );
            thread::sleep(pause);
        }
    }
}

/// The items of a page, not parsed.
pub(crate) fn items(answer: &Answer) -> Result<Vec<&RawValue>> {
    serde_json::from_str(&answer.body)
        .map_err(|error| CliError::failed(format!("error: the response is no list: {error}")))
}

/// The cursor in the link to the next page (RFC 8288). Only the cursor is taken, so that a response cannot send the token to
/// another address.
fn next_cursor(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some((_, link)) = rest.split_once('<') {
        let (url, parameters) = link.split_once('>')?;
        let (own, after) =
            parameters.split_once('<').map_or((parameters, ""), |(own, _)| (own, &parameters[own.len()..]));
        if own.split(';').any(|one| matches!(one.trim().trim_end_matches(',').trim(), "rel=\"next\"" | "rel=next")) {
            let (_, query) = url.split_once('?')?;
            let value = query.split('&').find_map(|pair| pair.strip_prefix("cursor="))?;
            return percent_decode_str(value).decode_utf8().ok().map(Cow::into_owned);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_is_that_of_the_link_to_the_next_page() {
        for (header, cursor) in [
            (r#"</api/super-admin/tenants?limit=2&cursor=abc%3D>; rel="next""#, Some("abc=")),
            (r#"<https://x.example/deprecated>; rel="deprecation", </t?status=a,b&cursor=c>; rel="next""#, Some("c")),
            (r#"</t?cursor=c>; rel="next", </other>; rel="deprecation""#, Some("c")),
            (r#"</t?cursor=p>; rel="prev""#, None),
            (r#"</t>; rel="next""#, None),
            ("nonsense", None),
        ] {
            assert_eq!(next_cursor(header).as_deref(), cursor, "{header}");
        }
    }
}
