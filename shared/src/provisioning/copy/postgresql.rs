//! Reads a PostgreSQL database from one snapshot.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use time::OffsetDateTime;
use tokio_postgres::{Client, CopyOutStream};

use super::{Lines, store};
use crate::provisioning::step::StepError;

/// A table that is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::provisioning) struct Table {
    pub(in crate::provisioning) name: String,
    /// Without generated ones.
    pub(in crate::provisioning) columns: Vec<String>,
    /// The other tables that its foreign keys name.
    pub(in crate::provisioning) references: Vec<String>,
}

impl Table {
    /// The name for SQL.
    pub(in crate::provisioning) fn quoted_name(&self) -> String {
        format!("public.{}", quoted(&self.name))
    }

    /// The columns for SQL.
    pub(in crate::provisioning) fn quoted_columns(&self) -> String {
        self.columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ")
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A session in a database, with a transaction that sees one snapshot. Dropping it ends both.
pub(in crate::provisioning) struct Snapshot {
    client: Client,
    /// When it was taken, by the cluster's clock.
    pub(in crate::provisioning) taken_at: OffsetDateTime,
    /// `pg_current_snapshot()`.
    pub(in crate::provisioning) name: String,
    pub(in crate::provisioning) schema_version: i32,
    /// In an order in which foreign keys hold while they are inserted.
    pub(in crate::provisioning) tables: Vec<Table>,
}

impl Snapshot {
    /// Takes a snapshot in the database of a new session.
    pub(in crate::provisioning) async fn take(client: Client) -> Result<Self, StepError> {
        let store::Begun { taken_at, name, schema_version } = store::begin_snapshot(&client).await?;
        let tables = in_order_of_references(store::list_tables(&client).await?);
        Ok(Self { client, taken_at, name, schema_version, tables })
    }

    /// The rows of a table.
    pub(in crate::provisioning) async fn read(&self, table: &Table) -> Result<TableReader, StepError> {
        let rows = Box::pin(store::copy_out(&self.client, table).await?);
        Ok(TableReader { rows, rest: Bytes::new() })
    }
}

/// Each table after those that it references. Tables that reference each other stay in the order of their names.
fn in_order_of_references(mut tables: Vec<Table>) -> Vec<Table> {
    let mut ordered: Vec<Table> = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let is_free =
            |table: &Table| table.references.iter().all(|name| ordered.iter().any(|earlier| earlier.name == *name));
        let next = tables.iter().position(is_free).unwrap_or(0);
        ordered.push(tables.remove(next));
    }
    ordered
}

/// The rows of a table, as lines in the text format of `COPY`.
pub(in crate::provisioning) struct TableReader {
    rows: Pin<Box<CopyOutStream>>,
    /// What has arrived after the last line.
    rest: Bytes,
}

impl Lines for TableReader {
    async fn next(&mut self) -> Result<Option<Bytes>, StepError> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                return Ok(Some(self.rest.split_to(end + 1)));
            }
            match self.rows.try_next().await? {
                // The server sends a row in each message, but the protocol does not require that.
                Some(more) if self.rest.is_empty() => self.rest = more,
                Some(more) => {
                    let mut joined = BytesMut::from(&*self.rest);
                    joined.extend_from_slice(&more);
                    self.rest = joined.freeze();
                }
                None if self.rest.is_empty() => return Ok(None),
                None => return Err(StepError::transient("PostgreSQL ended a copy within a row")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, references: &[&str]) -> Table {
        Table {
            name: name.to_owned(),
            columns: vec!["id".to_owned()],
            references: references.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn a_table_comes_after_those_that_it_references() {
        let tables = vec![table("a", &["b", "c"]), table("b", &["c"]), table("c", &[]), table("d", &["a"])];
        let names: Vec<_> = in_order_of_references(tables).into_iter().map(|table| table.name).collect();
        assert_eq!(names, ["c", "b", "a", "d"]);
        let circle = vec![table("a", &["b"]), table("b", &["a"])];
        assert_eq!(in_order_of_references(circle).len(), 2);
    }

    #[test]
    fn names_are_quoted() {
        let odd =
            Table { name: "a\"b".to_owned(), columns: vec!["Id".to_owned(), "x y".to_owned()], references: vec![] };
        assert_eq!(odd.quoted_name(), "public.\"a\"\"b\"");
        assert_eq!(odd.quoted_columns(), "\"Id\", \"x y\"");
    }
}
