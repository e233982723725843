//! What is printed on the standard output: lists, page by page, and single objects, as a table, JSON or CSV.

mod cells;
mod list;

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use clap::ArgMatches;
use serde_json::Value;

use crate::{
    document::schema::Field,
    error::{CliError, Result},
    text::{printable, width},
};
pub(crate) use list::ListPrinter;

/// The standard output, which is written page by page, and not line by line.
pub(crate) fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(1 << 16, io::stdout().lock())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    Json,
    Csv,
}

/// How to print.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    pub(crate) format: Format,
    /// `None`: those that the format shows by itself.
    pub(crate) columns: Option<Vec<String>>,
    /// The width of the terminal; `None` if the output is none.
    pub(crate) terminal_width: Option<usize>,
}

impl Style {
    pub(crate) fn of(matches: &ArgMatches) -> Result<Self> {
        let format = match matches.get_one::<String>("output").map(String::as_str) {
            Some("json") => Format::Json,
            Some("csv") => Format::Csv,
            _ => Format::Table,
        };
        let columns = matches.get_many::<String>("columns").map(|names| names.cloned().collect());
        if columns.is_some() && format == Format::Json {
            return Err(CliError::usage("error: --columns has no effect on JSON, which contains every field"));
        }
        let is_terminal = io::stdout().is_terminal();
        let size = is_terminal.then(|| rustix::termios::tcgetwinsize(io::stdout()).ok()).flatten();
        let terminal_width = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
        Ok(Self { format, columns, terminal_width })
    }
}

/// Prints one object, or any other JSON value.
pub(crate) fn print_value(out: &mut impl Write, style: &Style, fields: &[Field], value: &Value) -> Result<()> {
    match style.format {
        // Nothing is known of its fields: a table would have thousands of lines.
        _ if fields.is_empty() => pretty(out, value),
        Format::Json => pretty(out, value),
        Format::Csv => {
            let mut list = ListPrinter::new(out, style, fields);
            list.print_values(std::slice::from_ref(value))?;
            list.end()
        }
        Format::Table => print_pairs(out, style, fields, value),
    }
}

fn pretty(out: &mut impl Write, value: &Value) -> Result<()> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

/// One line for each value in the object, in the order of the fields. Those that the description does not name come last.
fn print_pairs(out: &mut impl Write, style: &Style, fields: &[Field], value: &Value) -> Result<()> {
    let mut pairs = Vec::new();
    cells::flatten(value, "", &mut pairs);
    let fields: Vec<String> = fields.iter().map(Field::name).collect();
    let is_of = |name: &str, field: &str| {
        name.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    pairs.sort_by_key(|(name, _)| fields.iter().position(|field| is_of(name, field)).unwrap_or(fields.len()));
    if let Some(columns) = &style.columns {
        let chosen = |name: &str| columns.iter().any(|one| one == name || name.starts_with(&format!("{one}.")));
        pairs.retain(|(name, _)| chosen(name));
    }
    let longest = pairs.iter().map(|(name, _)| width(name)).max().unwrap_or_default();
    for (name, value) in pairs {
        let padding = " ".repeat(longest - width(&name));
        writeln!(out, "{}{padding}  {}", printable(&name), printable(&value))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::{ordered::ordered, schema::Schemas};

    fn printed(format: Format, value: &Value) -> String {
        let style = Style { format, columns: None, terminal_width: None };
        let schema =
            ordered(r#"{"properties": {"id": {"type": "string"}, "limits": {"properties": {"max_agents": {}}}}}"#);
        let fields = Schemas(&Value::Null).fields(&schema);
        let mut out = Vec::new();
        print_value(&mut out, &style, &fields, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_object_is_printed_in_three_formats() {
        let value =
            json!({"id": "1", "limits": {"max_agents": null}, "steps": [{"name": "create"}, {"name": "check"}]});
        let table = "id                 1\nlimits.max_agents  -\nsteps[0].name      create\nsteps[1].name      check\n";
        assert_eq!(printed(Format::Table, &value), table);
        assert_eq!(printed(Format::Csv, &value), "id,limits.max_agents\r\n1,\r\n");
        let json = printed(Format::Json, &value);
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
    }
}
