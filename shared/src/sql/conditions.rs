//! The conditions of a query that depend on what is asked, and the values that they name.

use std::pin::pin;

use deadpool_postgres::GenericClient;
use futures::TryStreamExt;
use tokio_postgres::{Row, Statement, types::ToSql};

use crate::error::Result;

/// A value of a query.
pub type Value<'a> = &'a (dyn ToSql + Sync);

/// Conditions that must all hold.
pub struct Conditions<'a> {
    values: Vec<Value<'a>>,
    conditions: Vec<String>,
}

impl<'a> Conditions<'a> {
    /// None yet; `values` are what the rest of the query names, from `$1` on.
    pub fn after(values: Vec<Value<'a>>) -> Self {
        Self { values, conditions: Vec::new() }
    }

    /// The number by which a condition names a value, as in `$2`.
    pub fn number(&mut self, value: Value<'a>) -> usize {
        self.values.push(value);
        self.values.len()
    }

    /// Adds one.
    pub fn add(&mut self, condition: String) {
        self.conditions.push(condition);
    }

    /// `WHERE …`, or nothing.
    pub fn clause(&self) -> String {
        if self.conditions.is_empty() { String::new() } else { format!("WHERE {}", self.conditions.join(" AND ")) }
    }

    /// The rows of a query, each read as it comes: the database is still at the next ones.
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
