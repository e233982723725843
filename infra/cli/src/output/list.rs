//! Lists, which are printed as their pages arrive. Only one page is in memory at a time.

use std::io::{self, Write};

use serde_json::{Value, value::RawValue};

use super::{
    Format, Style,
    cells::{self, Column},
};
use crate::{
    document::schema::{Field, Kind},
    error::{CliError, Result},
    text::{printable, width},
};

/// Between two columns of a table.
const GAP: &str = "  ";

/// Prints the items of a list.
pub(crate) struct ListPrinter<'a, W: Write> {
    out: W,
    style: &'a Style,
    fields: &'a [Field],
    /// Chosen with the first page, because some fields exist only if they were asked for.
    columns: Option<Vec<Column>>,
    /// Of the columns of a table, from the first page: later pages do not change them.
    widths: Vec<usize>,
    printed: u64,
    /// JSON with one item on each line, instead of an array: for a list without an end.
    lines: bool,
}

impl<'a, W: Write> ListPrinter<'a, W> {
    pub(crate) fn new(out: W, style: &'a Style, fields: &'a [Field]) -> Self {
        Self { out, style, fields, columns: None, widths: Vec::new(), printed: 0, lines: false }
    }

    /// A list without an end.
    pub(crate) fn endless(out: W, style: &'a Style, fields: &'a [Field]) -> Self {
        Self { lines: true, ..Self::new(out, style, fields) }
    }

    pub(crate) fn printed(&self) -> u64 {
        self.printed
    }

    /// Prints items as they were received. JSON is not even parsed.
    pub(crate) fn print(&mut self, items: &[&RawValue]) -> Result<()> {
        if self.style.format == Format::Json {
            for item in items {
                self.print_json(item.get())?;
            }
        } else {
            let parse = |item: &&RawValue| serde_json::from_str(item.get());
            let rows = items.iter().map(parse).collect::<Result<Vec<Value>, _>>();
            self.print_rows(&rows.map_err(|error| CliError::failed(format!("error: malformed response: {error}")))?)?;
        }
        self.out.flush()?;
        Ok(())
    }

    pub(crate) fn print_values(&mut self, items: &[Value]) -> Result<()> {
        if self.style.format == Format::Json {
            for item in items {
                self.print_json(&item.to_string())?;
            }
        } else {
            self.print_rows(items)?;
        }
        self.out.flush()?;
        Ok(())
    }

    fn print_json(&mut self, item: &str) -> Result<()> {
        match (self.lines, self.printed) {
            (true, _) => {}
            (false, 0) => writeln!(self.out, "[")?,
            (false, _) => writeln!(self.out, ",")?,
        }
        self.out.write_all(item.as_bytes())?;
        if self.lines {
            writeln!(self.out)?;
        }
        self.printed += 1;
        Ok(())
    }

    fn print_rows(&mut self, rows: &[Value]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        if self.columns.is_none() {
            self.begin(rows)?;
        }
        let columns = self.columns.as_deref().unwrap_or_default();
        for row in rows {
            if self.style.format == Format::Csv {
                write_csv(&mut self.out, columns.iter().map(|column| cells::csv(column.value(row))))?;
            } else {
                let cell = |column: &Column| printable(&cells::text(column.value(row), "-")).into_owned();
                write_row(&mut self.out, columns.iter().map(cell), &self.widths)?;
            }
        }
        self.printed += rows.len() as u64;
        Ok(())
    }

    /// Chooses the columns and prints their titles.
    fn begin(&mut self, rows: &[Value]) -> Result<()> {
        let mut columns = self.choose(rows);
        if self.style.format == Format::Csv {
            write_csv(&mut self.out, columns.iter().map(|column| cells::csv(&Value::from(column.title.as_str()))))?;
        } else {
            let cell = |column: &Column, row: &Value| width(&printable(&cells::text(column.value(row), "-")));
            self.widths = columns
                .iter()
                .map(|column| rows.iter().map(|row| cell(column, row)).max().unwrap_or(0).max(width(&column.title)))
                .collect();
            let fitting = self.fitting();
            if fitting < columns.len() {
                let hidden: Vec<_> = columns[fitting..].iter().map(|column| column.title.as_str()).collect();
                eprintln!("Columns that do not fit: {}. --columns chooses others.", hidden.join(", "));
                columns.truncate(fitting);
            }
            let titles = columns.iter().map(|column| column.title.to_uppercase());
            write_row(&mut self.out, titles, &self.widths[..columns.len()])?;
        }
        self.columns = Some(columns);
        Ok(())
    }

    /// How many columns the terminal has room for. Chosen columns are all shown.
    fn fitting(&self) -> usize {
        let (Some(room), None) = (self.style.terminal_width, &self.style.columns) else { return self.widths.len() };
        let mut used = 0;
        let fits = |width: &&usize| {
            used += **width + GAP.len();
            used <= room + GAP.len()
        };
        self.widths.iter().take_while(fits).count().max(1)
    }

    fn choose(&self, rows: &[Value]) -> Vec<Column> {
        if let Some(names) = &self.style.columns {
            return names.iter().map(|name| Column::named(name)).collect();
        }
        // Of what is optional, only what these rows have.
        let exists = |field: &&Field| {
            field.required || rows.iter().any(|row| field.path.first().is_some_and(|name| row.get(name).is_some()))
        };
        let is_csv = self.style.format == Format::Csv;
        // An item without an id of its own combines things that have one, such as a user and a tenant.
        let is_combined = !self.fields.iter().any(|field| field.path == ["id"]);
        let shown =
            |field: &&Field| is_csv || ((is_combined || field.path.len() == 1) && field.value.kind != Kind::Json);
        let columns: Vec<Column> = self.fields.iter().filter(exists).filter(shown).map(Column::of).collect();
        if !columns.is_empty() {
            return columns;
        }
        let names = rows.first().and_then(Value::as_object).into_iter().flatten().map(|(name, _)| Column::named(name));
        names.collect()
    }

    /// Prints what closes the list. A list that was interrupted is no valid JSON, because this is missing.
    pub(crate) fn end(mut self) -> Result<()> {
        match (self.style.format, self.printed, self.lines) {
            (Format::Json, 0, false) => writeln!(self.out, "[]")?,
            (Format::Json, _, false) => writeln!(self.out, "\n]")?,
            (Format::Table | Format::Csv, 0, _) => self.begin(&[])?,
            _ => {}
        }
        self.out.flush()?;
        Ok(())
    }
}

fn write_csv(out: &mut impl Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let line: Vec<String> = cells.collect();
    write!(out, "{}\r\n", line.join(","))
}

fn write_row(out: &mut impl Write, cells: impl Iterator<Item = String>, widths: &[usize]) -> io::Result<()> {
    let mut line = String::new();
    for (cell, column) in cells.zip(widths) {
        let padding = column.saturating_sub(width(&cell));
        line.push_str(&cell);
        line.extend(std::iter::repeat_n(' ', padding));
        line.push_str(GAP);
    }
    writeln!(out, "{}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::{ordered::ordered, schema::Schemas};

    fn fields() -> Vec<Field> {
        let schema = ordered(
            r#"{"required": ["id", "name", "limits"], "properties": {
            "id": {"type": "string"},
            "name": {"type": "string"},
            "limits": {"required": ["max_agents"], "properties": {"max_agents": {"type": ["integer", "null"]}}},
            "usage": {"properties": {"agents": {"type": "integer"}}}
        }}"#,
        );
        Schemas(&Value::Null).fields(&schema)
    }

    fn printed(style: &Style, pages: &[&str]) -> String {
        let (mut out, fields) = (Vec::new(), fields());
        let mut list = ListPrinter::new(&mut out, style, &fields);
        for page in pages {
            list.print(&serde_json::from_str::<Vec<&RawValue>>(page).unwrap()).unwrap();
        }
        list.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    fn style(format: Format) -> Style {
        Style { format, columns: None, terminal_width: None }
    }

    const PAGES: [&str; 2] = [
        r#"[{"id":"1","name":"咖啡","limits":{"max_agents":5}},{"id":"2","name":"a,b","limits":{"max_agents":null}}]"#,
        r#"[{"id":"3","name":"c","limits":{"max_agents":7},"later":true}]"#,
    ];

    #[test]
    fn json_is_one_array_of_the_items_as_they_were_received() {
        let text = printed(&style(Format::Json), &PAGES);
        let items: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(items.len(), 3);
        assert_eq!(items[2], json!({"id": "3", "name": "c", "limits": {"max_agents": 7}, "later": true}));
        assert_eq!(printed(&style(Format::Json), &[]), "[]\n");
    }

    #[test]
    fn csv_has_nested_fields_and_a_head_even_without_rows() {
        let csv = "id,name,limits.max_agents\r\n1,咖啡,5\r\n2,\"a,b\",\r\n3,c,7\r\n";
        assert_eq!(printed(&style(Format::Csv), &PAGES), csv);
        assert_eq!(printed(&style(Format::Csv), &[]), "id,name,limits.max_agents\r\n");
    }

    #[test]
    fn a_table_of_combined_things_shows_what_they_consist_of() {
        let schema = ordered(
            r#"{"required": ["tenant", "at"], "properties": {
            "tenant": {"required": ["slug"], "properties": {"slug": {"type": "string"}}},
            "at": {"type": "string"}
        }}"#,
        );
        let (mut out, fields) = (Vec::new(), Schemas(&Value::Null).fields(&schema));
        let style = Style { format: Format::Table, columns: None, terminal_width: None };
        let mut list = ListPrinter::new(&mut out, &style, &fields);
        let row = RawValue::from_string(r#"{"tenant": {"slug": "kopi"}, "at": "now"}"#.to_owned()).unwrap();
        list.print(&[&row]).unwrap();
        list.end().unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "TENANT.SLUG  AT\nkopi         now\n");
    }

    #[test]
    fn a_table_is_aligned_by_width_and_has_the_chosen_columns() {
        assert_eq!(printed(&style(Format::Table), &PAGES), "ID  NAME\n1   咖啡\n2   a,b\n3   c\n");
        let columns = Some(vec!["name".to_owned(), "limits.max_agents".to_owned()]);
        let chosen = Style { columns, terminal_width: Some(5), ..style(Format::Table) };
        let table = "NAME  LIMITS.MAX_AGENTS\n咖啡  5\na,b   -\nc     7\n";
        assert_eq!(printed(&chosen, &PAGES), table);
    }

    #[test]
    fn a_terminal_gets_the_columns_that_fit() {
        let narrow = Style { terminal_width: Some(7), ..style(Format::Table) };
        assert_eq!(printed(&narrow, &PAGES), "ID\n1\n2\n3\n");
        let wide = Style { terminal_width: Some(8), ..style(Format::Table) };
        assert_eq!(printed(&wide, &PAGES), "ID  NAME\n1   咖啡\n2   a,b\n3   c\n");
    }

    #[test]
    fn optional_fields_are_columns_if_the_rows_have_them() {
        let page = r#"[{"id":"1","name":"c","limits":{"max_agents":7},"usage":{"agents":3}}]"#;
        assert_eq!(printed(&style(Format::Csv), &[page]), "id,name,limits.max_agents,usage.agents\r\n1,c,7,3\r\n");
    }
}
