//! Conditions of a query that depend on its filters, with their values.

use std::pin::pin;

use deadpool_postgres::GenericClient;
use futures::TryStreamExt;
use tokio_postgres::{Row, Statement, types::ToSql};

use crate::error::Result;

/// A parameter of a query.
pub type Value<'a> = &'a (dyn ToSql + Sync);

/// Conditions that are joined with `AND`.
pub struct Conditions<'a> {
    values: Vec<Value<'a>>,
    conditions: Vec<String>,
}

impl<'a> Conditions<'a> {
    /// No conditions yet. `values` are the parameters of the rest of the query, from `$1`.
    pub fn after(values: Vec<Value<'a>>) -> Self {
        Self { values, conditions: Vec::new() }
    }

    /// Adds a parameter and returns its number, as in `$2`.
    pub fn number(&mut self, value: Value<'a>) -> usize {
        self.values.push(value);
        self.values.len()
    }

    pub fn add(&mut self, condition: String) {
        self.conditions.push(condition);
    }

    /// `WHERE …`, or an empty text.
    pub fn clause(&self) -> String {
        if self.conditions.is_empty() { String::new() } else { format!("WHERE {}", self.conditions.join(" AND ")) }
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
