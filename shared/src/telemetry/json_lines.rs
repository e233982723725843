//! Events as lines of JSON: `timestamp`, `level`, the event's own fields, `target`, `trace_id`, and `span` with the name and the
//! fields of the innermost span. The message of a metric is its whole line.
//!
//! The JSON format of `tracing-subscriber` parses and serializes a span's fields again for each added field and each event,
//! which took a tenth of the time of a request that reads one row. Here fields are serialized once and then copied.

use std::fmt::{self, Debug};

use serde::Serialize;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::Record,
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

use crate::telemetry::{METRICS_TARGET, trace};

/// Writes fields as members of an object, each after a comma.
pub(super) struct JsonFields;

impl<'writer> FormatFields<'writer> for JsonFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut members = Members { writer, result: Ok(()) };
        fields.record(&mut members);
        members.result
    }

    fn add_fields(&self, current: &'writer mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

/// Writes an event as a line.
pub(super) struct JsonLines;

impl<S> FormatEvent<S, JsonFields> for JsonLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if event.metadata().target() == METRICS_TARGET {
            let mut message = Message { writer: writer.by_ref(), result: Ok(()) };
            event.record(&mut message);
            message.result?;
            return writer.write_char('\n');
        }
        writer.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "\",\"level\":\"{}\"", event.metadata().level())?;
        context.format_fields(writer.by_ref(), event)?;
        member(&mut writer, "target", event.metadata().target())?;
        if let Some(id) = trace::current() {
            write!(writer, ",\"trace_id\":\"{id}\"")?;
        }
        if let Some(span) = context.lookup_current() {
            writer.write_str(",\"span\":{\"name\":")?;
            json(&mut writer, span.name())?;
            if let Some(fields) = span.extensions().get::<FormattedFields<JsonFields>>() {
                writer.write_str(fields)?;
            }
            writer.write_char('}')?;
        }
        writer.write_str("}\n")
    }
}

/// Writes the message of an event as it is.
struct Message<'writer> {
    writer: Writer<'writer>,
    result: fmt::Result,
}

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" && self.result.is_ok() {
            self.result = write!(self.writer, "{value:?}");
        }
    }
}

struct Members<'writer> {
    writer: Writer<'writer>,
    result: fmt::Result,
}

impl Members<'_> {
    fn add(&mut self, field: &Field, value: impl Serialize) {
        if self.result.is_ok() {
            self.result = member(&mut self.writer, field.name(), value);
        }
    }
}

impl Visit for Members<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format_args!("{value:?}"));
    }
}

fn member(writer: &mut Writer<'_>, name: &str, value: impl Serialize) -> fmt::Result {
    writer.write_char(',')?;
    json(writer, name)?;
    writer.write_char(':')?;
    json(writer, value)
}

fn json(writer: &mut Writer<'_>, value: impl Serialize) -> fmt::Result {
    serde_json::to_writer(Bytes(writer), &value).map_err(|_| fmt::Error)
}

/// Receives the bytes of JSON, which end at character boundaries.
struct Bytes<'a, 'writer>(&'a mut Writer<'writer>);

impl std::io::Write for Bytes<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(std::io::Error::other)?;
        self.0.write_str(text).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use serde_json::{Value, json};
    use tracing::{field::Empty, info, info_span, subscriber::with_default, warn};
    use tracing_subscriber::{fmt::layer, layer::SubscriberExt, registry};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `log` writes.
    fn raw_lines(log: impl FnOnce()) -> Vec<String> {
        let written = Captured::default();
        let writer = written.clone();
        let lines =
            layer().with_ansi(false).fmt_fields(JsonFields).event_format(JsonLines).with_writer(move || writer.clone());
        with_default(registry().with(lines), log);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    /// The lines that `log` writes, without their timestamps.
    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let parse = |line: String| {
            let mut line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let timestamp = line.as_object_mut().unwrap().remove("timestamp").unwrap();
            assert!(timestamp.as_str().unwrap().ends_with('Z'), "{timestamp}");
            line
        };
        raw_lines(log).into_iter().map(parse).collect()
    }

    #[test]
    fn a_line_contains_the_fields_of_the_event_and_of_its_span() {
        let written = lines(|| {
            let span = info_span!("request", request.id = %"r-1", admin.id = Empty, tenant.id = Empty);
            let _inside = span.enter();
            span.record("admin.id", "a-1");
            info!(http.status = 200_u16, late = false, ratio = 0.5, "request");
            span.record("tenant.id", tracing::field::display("t-1"));
            warn!(why = ?Some("x"), "again");
        });
        let target = module_path!();
        let expected = [
            json!({
                "level": "INFO", "message": "request", "http.status": 200, "late": false, "ratio": 0.5, "target": target,
                "span": { "name": "request", "request.id": "r-1", "admin.id": "a-1" },
            }),
            json!({
                "level": "WARN", "message": "again", "why": "Some(\"x\")", "target": target,
                "span": { "name": "request", "request.id": "r-1", "admin.id": "a-1", "tenant.id": "t-1" },
            }),
        ];
        assert_eq!(written, expected);
    }

    #[tokio::test]
    async fn a_line_contains_the_trace_id_of_its_work_and_a_metric_is_a_line_of_its_own() {
        use crate::telemetry::metrics::{Metric, count};

        let id = crate::types::TraceId::generate();
        let written = trace::within(id, async {
            raw_lines(|| {
                info!("inside");
                count(Metric::FailedStarts);
            })
        });
        let written: Vec<Value> = written.await.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(written[0]["trace_id"], id.to_string());
        assert_eq!(written[1]["FailedStarts"], 1.0, "{written:?}");
        assert_eq!(written[1]["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Landlord");
        assert_eq!(written[1].get("timestamp"), None);
    }

    #[test]
    fn any_text_is_logged_as_one_line_of_json() {
        let odd = "a \"quoted\" \\ line\nand\tanother \u{1f}\u{2028} ünïcödé 😀";
        let written = lines(|| {
            let _inside = info_span!("odd", display = %odd, text = odd).entered();
            info!(debug = ?odd, none = f64::NAN, "{odd}");
        });
        let [line] = &written[..] else { panic!("{written:?}") };
        assert_eq!(line["message"], odd);
        assert_eq!([&line["span"]["display"], &line["span"]["text"]], [odd, odd]);
        assert_eq!(line["debug"], format!("{odd:?}"));
        assert_eq!(line["none"], Value::Null);
    }
}
