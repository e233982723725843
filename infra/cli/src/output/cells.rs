//! The text of single values.

use serde_json::Value;

use crate::document::schema::Field;

/// A column of a table or of CSV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) path: Vec<String>,
    pub(crate) title: String,
}

impl Column {
    pub(crate) fn named(name: &str) -> Self {
        Self { path: name.split('.').map(ToOwned::to_owned).collect(), title: name.to_owned() }
    }

    pub(crate) fn of(field: &Field) -> Self {
        Self { path: field.path.clone(), title: field.name() }
    }

    /// The value in a row. An absent one is null.
    pub(crate) fn value<'a>(&self, row: &'a Value) -> &'a Value {
        self.path.iter().fold(row, |value, name| value.get(name).unwrap_or(&Value::Null))
    }
}

/// The text of a value, with `null` for a value that is null.
pub(crate) fn text(value: &Value, null: &str) -> String {
    match value {
        Value::Null => null.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A cell of CSV (RFC 4180). Text that a spreadsheet takes for a formula is preceded by an apostrophe, as in the console.
pub(crate) fn csv(value: &Value) -> String {
    let mut text = text(value, "");
    if value.is_string() && text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        text.insert(0, '\'');
    }
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// The values in an object, each with its place: `limits.max_agents`, `steps[0].name`.
pub(crate) fn flatten(value: &Value, at: &str, pairs: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                let place = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                flatten(member, &place, pairs);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, &format!("{at}[{index}]"), pairs);
            }
        }
        other => pairs.push((at.to_owned(), text(other, "-"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cell_of_csv_is_quoted_where_it_must_be_and_is_never_a_formula() {
        for (value, expected) in [
            (json!("Kopi"), "Kopi"),
            (json!("Kopi, \"Teh\""), "\"Kopi, \"\"Teh\"\"\""),
            (json!("a\nb"), "\"a\nb\""),
            (json!("=1+1"), "'=1+1"),
            (json!(-5), "-5"),
            (json!(null), ""),
            (json!(["a", "b"]), "\"[\"\"a\"\",\"\"b\"\"]\""),
        ] {
            assert_eq!(csv(&value), expected, "{value}");
        }
    }
}
