//! Events as lines of text for terminals, each after the trace id of its work.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Writer},
    },
    registry::LookupSpan,
};

use crate::telemetry::trace;

#[derive(Default)]
pub(super) struct TextLines(Format);

impl<S, N> FormatEvent<S, N> for TextLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if let Some(id) = trace::current() {
            write!(writer, "{id} ")?;
        }
        self.0.format_event(context, writer, event)
    }
}
