//! The columns of a query and the reader of its rows, from one definition.

use std::error::Error as StdError;

use tokio_postgres::{
    Row,
    types::{FromSql, Type},
};

use crate::error::Result;

/// A list of columns, and how a `T` is read from them. Defined with [`columns!`].
pub(crate) trait Columns {
    /// What the columns are read into.
    type Item;

    /// The expressions, in order.
    const COLUMNS: &'static [&'static str];

    /// The expressions for `SELECT` and `RETURNING`, with commas between them.
    const LIST: &'static str;

    /// The number of columns.
    const COUNT: usize = Self::COLUMNS.len();

    /// Reads the columns of a row, the first of which is at `first`.
    fn read_at(row: &Row, first: usize) -> Result<Self::Item>;

    /// Reads the columns of a row that begins with them.
    fn read(row: &Row) -> Result<Self::Item> {
        Self::read_at(row, 0)
    }

    /// As [`Self::read_at`], on the optional side of an outer join: `None` where the first column is null.
    fn read_optional_at(row: &Row, first: usize) -> Result<Option<Self::Item>> {
        match row.try_get::<_, Option<Anything>>(first)? {
            Some(Anything) => Self::read_at(row, first).map(Some),
            None => Ok(None),
        }
    }
}

/// Reads the columns of a row one after another.
pub(crate) struct RowReader<'a> {
    row: &'a Row,
    next: usize,
}

impl<'a> RowReader<'a> {
    pub(crate) fn new(row: &'a Row, first: usize) -> Self {
        Self { row, next: first }
    }

    /// The next column.
    pub(crate) fn take<T: FromSql<'a>>(&mut self) -> Result<T> {
        let value = self.row.try_get(self.next)?;
        self.next += 1;
        Ok(value)
    }

    /// The next column, converted.
    pub(crate) fn take_via<T: FromSql<'a>, U>(&mut self, convert: impl FnOnce(T) -> Result<U>) -> Result<U> {
        convert(self.take()?)
    }
}

/// A value of any type, of which only the presence matters.
struct Anything;

impl FromSql<'_> for Anything {
    fn from_sql(_: &Type, _: &[u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Defines a type that implements [`Columns`]:
///
/// ```ignore
/// columns! {
///     /// The columns of a person.
///     pub(crate) PersonColumns -> Person {
///         id: "id",
///         name: "name",
///         // A field that is a struct.
///         address: Address { street: "street", city: "city" },
///         // A conversion, from the type that PostgreSQL returns to `Result` of the field's type.
///         birth_month: "born_on" via |day: Option<Date>| Ok(day.map(Month::with)),
///         // An expression; it begins with a column, so that it can be qualified.
///         is_disabled: "disabled_at IS NOT NULL",
///     }
/// }
/// ```
///
/// `PersonColumns::LIST` is the text for `SELECT` and `RETURNING`, `qualified!("p", PersonColumns)` the same with a table's
/// alias, `PersonColumns::read(&row)` reads a row. In a join the second reader begins where the first ends:
/// `OtherColumns::read_at(&row, PersonColumns::COUNT)`.
macro_rules! columns {
    (
        $(#[$doc:meta])*
        $visibility:vis $name:ident -> $item:ident {
            $($field:ident:
                $($group:ident { $($inner:ident: $inner_column:literal $(via $inner_convert:expr)?),+ $(,)? })?
                $($column:literal $(via $convert:expr)?)?
            ),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        $visibility struct $name;

        impl $crate::sql::Columns for $name {
            type Item = $item;

            const COLUMNS: &'static [&'static str] = &[$($($($inner_column,)+)? $($column,)?)+];

            const LIST: &'static str =
                $crate::sql::joined!(<$name as $crate::sql::Columns>::COLUMNS, "", ", ");

            fn read_at(row: &tokio_postgres::Row, first: usize) -> $crate::error::Result<$item> {
                let mut reader = $crate::sql::RowReader::new(row, first);
                // Struct expressions are evaluated in the order in which they are written.
                Ok($item {
                    $($field:
                        $($crate::sql::columns!(@read reader $column $($convert)?))?
                        $($group {
                            $($inner: $crate::sql::columns!(@read reader $inner_column $($inner_convert)?)),+
                        })?
                    ),+
                })
            }
        }
    };
    (@read $reader:ident $column:literal) => { $reader.take()? };
    (@read $reader:ident $column:literal $convert:expr) => { $reader.take_via($convert)? };
}
pub(crate) use columns;

/// The list of columns with a table's alias before each: `qualified!("t", TenantColumns)`.
macro_rules! qualified {
    ($alias:literal, $columns:ty) => {
        const { $crate::sql::joined!(<$columns as $crate::sql::Columns>::COLUMNS, concat!($alias, "."), ", ") }
    };
}
pub(crate) use qualified;

#[cfg(test)]
mod tests {
    use super::*;

    struct Person {
        #[expect(dead_code, reason = "only the list of columns is of interest")]
        id: i64,
        #[expect(dead_code, reason = "only the list of columns is of interest")]
        address: Address,
        #[expect(dead_code, reason = "only the list of columns is of interest")]
        is_disabled: bool,
    }

    struct Address {
        #[expect(dead_code, reason = "only the list of columns is of interest")]
        street: String,
        #[expect(dead_code, reason = "only the list of columns is of interest")]
        city: Option<String>,
    }

    columns! {
        PersonColumns -> Person {
            id: "id" via |id: i32| Ok(i64::from(id)),
            address: Address { street: "street", city: "city" },
            is_disabled: "disabled_at IS NOT NULL",
        }
    }

    #[test]
    fn the_list_has_every_column_in_order() {
        assert_eq!(PersonColumns::LIST, "id, street, city, disabled_at IS NOT NULL");
        assert_eq!(PersonColumns::COUNT, 4);
    }

    #[test]
    fn a_qualified_list_has_the_alias_before_each_column() {
        assert_eq!(qualified!("p", PersonColumns), "p.id, p.street, p.city, p.disabled_at IS NOT NULL");
    }
}
