//! Building blocks of the `store` modules: lists of columns with their readers, and conditions of queries.

mod columns;
mod conditions;
mod text;

pub(crate) use columns::{Columns, RowReader, columns, qualified};
pub use conditions::{Alternatives, COUNTED_ROWS, Conditions, Value};
pub(crate) use text::{join, joined, joined_length, text};
