//! Lists of users.

use deadpool_postgres::GenericClient;

use crate::{
    error::{Error, Result},
    sql::{COUNTED_ROWS, Columns, Conditions},
    types::{Count, PageRequest},
    users::{
        User, UserFilter,
        store::{IS_ONLINE, SearchPatterns, UserColumns},
    },
};

/// A page of users; one row more than the limit when another page follows.
pub async fn list(client: &impl GenericClient, filter: &UserFilter, page: PageRequest) -> Result<Vec<User>> {
    let limit = i64::try_from(page.limit.get() + 1).map_err(Error::internal)?;
    let patterns = filter.search.as_ref().map(SearchPatterns::of);
    let mut conditions = Conditions::after(vec![&limit]);
    narrow(&mut conditions, filter, patterns.as_ref());
    let order = conditions.page("created_at", "id", &page);
    let statement = client
        .prepare_cached(&format!(
            "SELECT {} FROM users {} ORDER BY {order} LIMIT $1",
            UserColumns::LIST,
            conditions.clause()
        ))
        .await?;
    conditions.query(client, &statement, UserColumns::read).await
}

/// The number of users.
pub async fn count(client: &impl GenericClient, filter: &UserFilter) -> Result<Count> {
    let patterns = filter.search.as_ref().map(SearchPatterns::of);
    let mut conditions = Conditions::after(vec![&COUNTED_ROWS]);
    narrow(&mut conditions, filter, patterns.as_ref());
    conditions.count(client, "users").await
}

fn narrow<'a>(conditions: &mut Conditions<'a>, filter: &'a UserFilter, patterns: Option<&'a SearchPatterns>) {
    if let Some(patterns) = patterns {
        patterns.narrow(conditions);
    }
    if let Some(roles) = &filter.role {
        conditions.one_of("role", "", roles.as_slice());
    }
    if let Some(status) = &filter.status {
        let number = conditions.number(status);
        conditions.add(format!("status = ${number}"));
    }
    match filter.is_online {
        None => {}
        Some(true) => conditions.add(IS_ONLINE.to_owned()),
        Some(false) => conditions.add(format!("NOT {IS_ONLINE}")),
    }
    conditions.created_in(&filter.created);
}
