//! Conditions of a query that depend on its filters, with their values.

use std::pin::pin;

use deadpool_postgres::GenericClient;
use futures::TryStreamExt;
use tokio_postgres::{Row, Statement, types::ToSql};

use crate::{
    error::{Error, Result},
    types::{Count, CreatedRange, PageRequest, TimeOrder},
};

/// The bound of a count, so that its time is bounded.
const MAX_COUNT: i64 = 10_000;

/// The limit of the rows that a count reads: one more than the bound, to distinguish an exact count.
pub const COUNTED_ROWS: i64 = MAX_COUNT + 1;

/// A parameter of a query.
pub type Value<'a> = &'a (dyn ToSql + Sync);

/// Conditions of which one holds, see [`Conditions::alternatives`].
pub struct Alternatives(Vec<String>);

/// Conditions that are joined with `AND`.
pub struct Conditions<'a> {
    values: Vec<Value<'a>>,
    /// All must hold.
    all: Vec<String>,
    /// Whether PostgreSQL plans the query for its values, instead of once for all.
    is_planned_for_values: bool,
}

impl<'a> Conditions<'a> {
    /// No conditions yet. `values` are the parameters of the rest of the query, from `$1`.
    pub fn after(values: Vec<Value<'a>>) -> Self {
        Self { values, all: Vec::new(), is_planned_for_values: false }
    }

    /// Adds a parameter and returns its number, as in `$2`.
    pub fn number(&mut self, value: Value<'a>) -> usize {
        self.values.push(value);
        self.values.len()
    }

    pub fn add(&mut self, condition: String) {
        self.all.push(condition);
    }

    /// Restricts the rows to those whose generated column `search_text` contains a text, or matches another pattern. `pattern` is that of
    /// [`crate::types::SearchText::like_pattern`].
    ///
    /// [`Self::prepare`] then lets PostgreSQL plan each text for itself. Some texts are part of a few rows, and some of all; each kind takes up
    /// to a thousand times as long in the index that is right for the other.
    pub fn contain_text(&mut self, pattern: &'a String, other: Option<&'a String>) {
        let number = self.number(pattern);
        // The database lowers both sides, so that both follow the rules of its locale.
        let in_lower_case = format!("search_text LIKE lower(${number})");
        let condition = match other.map(|other| self.number(other)) {
            None => in_lower_case,
            Some(number) => format!("({in_lower_case} OR search_text LIKE ${number})"),
        };
        self.add(condition);
        self.is_planned_for_values = true;
    }

    /// Prepares a query with these conditions.
    pub async fn prepare(&self, client: &impl GenericClient, query: &str) -> Result<Statement> {
        // A cached statement may get one plan for all values.
        Ok(if self.is_planned_for_values { client.prepare(query).await? } else { client.prepare_cached(query).await? })
    }

    /// Restricts the rows to those created in a range.
    pub fn created_in(&mut self, range: &'a CreatedRange) {
        if let Some(since) = &range.created_since {
            let number = self.number(since);
            self.add(format!("created_at >= ${number}"));
        }
        if let Some(until) = &range.created_until {
            let number = self.number(until);
            self.add(format!("created_at < ${number}"));
        }
    }

    /// Restricts `column` to some values. `cast` converts a parameter to the column's type.
    pub fn one_of<T: ToSql + Sync>(&mut self, column: &str, cast: &str, values: &'a [T]) {
        let numbers: Vec<_> = values.iter().map(|value| format!("${}{cast}", self.number(value))).collect();
        self.add(match &numbers[..] {
            [number] => format!("{column} = {number}"),
            several => format!("{column} IN ({})", several.join(", ")),
        });
    }

    /// Several values of a column, of which a row has one. [`Self::page_query`] reads each from an index.
    pub fn alternatives<T: ToSql + Sync>(
        &mut self,
        column: &'static str,
        cast: &'static str,
        values: &'a [T],
    ) -> Alternatives {
        Alternatives(values.iter().map(|value| format!("{column} = ${}{cast}", self.number(value))).collect())
    }

    /// Excludes the rows up to and including the end of the previous page, and returns the order. `time` is the column of the
    /// time that the list is sorted by, `id` that of the id.
    pub fn page(&mut self, time: &str, id: &str, page: &'a PageRequest) -> String {
        let (sign, direction) = match page.order {
            TimeOrder::NewestFirst => ("<", " DESC"),
            TimeOrder::OldestFirst => (">", ""),
        };
        if let Some(cursor) = &page.cursor {
            let (created_at, last) = (self.number(&cursor.created_at), self.number(&cursor.id));
            self.add(format!("({time}, {id}) {sign} (${created_at}, ${last})"));
        }
        format!("{time}{direction}, {id}{direction}")
    }

    /// `WHERE …`, or an empty text.
    pub fn clause(&self) -> String {
        if self.all.is_empty() { String::new() } else { format!("WHERE {}", self.all.join(" AND ")) }
    }

    /// The query of a page. `select` is a query without conditions, which returns the columns of `order`; `$1` is the limit.
    ///
    /// With alternatives, the page is merged from a page of each, because an index on the column and the order serves each
    /// of them; with `IN`, PostgreSQL would read and sort all rows that have one of the values.
    pub fn page_query(&self, select: &str, alternatives: Option<&Alternatives>, order: &str) -> String {
        let Some(Alternatives(alternatives)) = alternatives else {
            return format!("{select} {} ORDER BY {order} LIMIT $1", self.clause());
        };
        let parts = alternatives.iter().map(|alternative| {
            let conditions: Vec<_> = std::iter::once(alternative).chain(&self.all).map(String::as_str).collect();
            format!("({select} WHERE {} ORDER BY {order} LIMIT $1)", conditions.join(" AND "))
        });
        let parts: Vec<_> = parts.collect();
        format!("SELECT * FROM ({}) parts ORDER BY {order} LIMIT $1", parts.join(" UNION ALL "))
    }

    /// Counts the rows of `source` with these conditions, up to a bound. The first parameter is [`COUNTED_ROWS`].
    pub async fn count(&self, client: &impl GenericClient, source: &str) -> Result<Count> {
        let query = format!("SELECT count(*) FROM (SELECT FROM {source} {} LIMIT $1) counted", self.clause());
        let statement = self.prepare(client, &query).await?;
        let rows = self.query(client, &statement, |row| Ok(row.try_get::<_, i64>(0)?)).await?;
        let counted = rows.first().copied().ok_or_else(|| Error::internal("a count returned no row"))?;
        Ok(Count { number: counted.min(MAX_COUNT), is_exact: counted <= MAX_COUNT })
    }

    /// All rows of a query.
    pub async fn rows(&self, client: &impl GenericClient, statement: &Statement) -> Result<Vec<Row>> {
        Ok(client.query_raw(statement, self.values.iter().copied()).await?.try_collect().await?)
    }

    /// The rows of a query. Each is read as soon as it arrives, while the database produces the next ones.
    pub async fn query<T>(
        &self,
        client: &impl GenericClient,
        statement: &Statement,
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut rows = pin!(client.query_raw(statement, self.values.iter().copied()).await?);
        let mut items = Vec::new();
        while let Some(row) = rows.try_next().await? {
            items.push(read(&row)?);
        }
        Ok(items)
    }
}
