//! The id that a request and everything that it causes have in common: log lines, messages, events.

use std::{fmt, str::FromStr};

use bytes::BytesMut;
use serde::{Serialize, Serializer};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::types::InvalidValue;

/// A trace id of W3C Trace Context: 32 lower-case hexadecimal digits, not all of them 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(Uuid);

impl TraceId {
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads the header of AWS X-Ray: `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`. The two
    /// parts of the root together are the trace id.
    pub fn from_xray(header: &str) -> Option<Self> {
        let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root="))?;
        let (time, random) = root.strip_prefix("1-")?.split_once('-')?;
        if time.len() != 8 || random.len() != 24 {
            return None;
        }
        format!("{time}{random}").parse().ok()
    }

    /// Reads the header `traceparent` of W3C Trace Context. Versions after 00 may append fields.
    pub fn from_traceparent(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_version = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        let is_parent = is_hex(parent, 16) && parent.bytes().any(|digit| digit != b'0');
        if is_version && is_parent && is_hex(flags, 2) { trace.parse().ok() } else { None }
    }

    /// The header `traceparent` for a message. Its parent is the second half of the message's id, so that a repeated message
    /// has the same header. The variant of a UUID is never 0, so neither is the parent.
    pub fn traceparent(self, message_id: Uuid) -> String {
        let (_, parent) = message_id.as_u64_pair();
        format!("00-{self}-{parent:016x}-01")
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl FromStr for TraceId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match Uuid::try_parse(text) {
            Ok(id) if is_hex(text, 32) && !id.is_nil() => Ok(Self(id)),
            _ => Err(InvalidValue::format("must be a trace id of 32 hexadecimal digits")),
        }
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

type SqlError = Box<dyn std::error::Error + Sync + Send>;

impl<'a> FromSql<'a> for TraceId {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, SqlError> {
        Uuid::from_sql(kind, raw).map(Self)
    }

    fn accepts(kind: &Type) -> bool {
        <Uuid as FromSql>::accepts(kind)
    }
}

impl ToSql for TraceId {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, SqlError> {
        self.0.to_sql(kind, out)
    }

    fn accepts(kind: &Type) -> bool {
        <Uuid as ToSql>::accepts(kind)
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5759e988bd862e3fe1be46a994272793";

    fn text(id: Option<TraceId>) -> Option<String> {
        id.map(|id| id.to_string())
    }

    #[test]
    fn the_root_of_x_ray_is_the_trace_id_of_w3c() {
        for header in [
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            "Self=1-67891234-12456789abcdef012345678;Root=1-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a87bd80c:1",
        ] {
            assert_eq!(text(TraceId::from_xray(header)).as_deref(), Some(ID), "{header}");
        }
        for header in [
            "",
            "Root=",
            "Root=1-5759e988",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e98-8bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a99427279g",
            "Root=1-00000000-000000000000000000000000",
        ] {
            assert_eq!(text(TraceId::from_xray(header)), None, "{header}");
        }
    }

    #[test]
    fn only_a_valid_traceparent_is_accepted() {
        for header in [
            "00-5759e988bd862e3fe1be46a994272793-00f067aa0ba902b7-01",
            "00-5759e988bd862e3fe1be46a994272793-00f067aa0ba902b7-00",
            "cc-5759e988bd862e3fe1be46a994272793-00f067aa0ba902b7-01-what-the-future-will-be-like",
        ] {
            assert_eq!(text(TraceId::from_traceparent(header)).as_deref(), Some(ID), "{header}");
        }
        for header in [
            "",
            "5759e988bd862e3fe1be46a994272793",
            "00-5759e988bd862e3fe1be46a994272793-00f067aa0ba902b7",
            "00-5759e988bd862e3fe1be46a994272793-00f067aa0ba902b7-01-more",
            "ff-5759e988bd862e3fe1be46a994272793-00f067aa0ba902b7-01",
            "00-5759E988BD862E3FE1BE46A994272793-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-5759e988bd862e3fe1be46a994272793-0000000000000000-01",
        ] {
            assert_eq!(text(TraceId::from_traceparent(header)), None, "{header}");
        }
    }

    #[test]
    fn a_message_has_a_traceparent_of_its_own_that_stays_the_same() {
        let (id, message) = (TraceId::generate(), Uuid::now_v7());
        let header = id.traceparent(message);
        assert_eq!(TraceId::from_traceparent(&header), Some(id), "{header}");
        assert_eq!(header, id.traceparent(message));
        assert_ne!(header, id.traceparent(Uuid::now_v7()));
    }
}
