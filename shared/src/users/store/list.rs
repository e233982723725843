//! Lists of users.

use deadpool_postgres::GenericClient;

use crate::{
    error::{Error, Result},
    sql::{COUNTED_ROWS, Columns, Conditions},
    types::{Count, PageRequest, SearchText},
    users::{
        User, UserFilter,
        store::{IS_ONLINE, UserColumns},
    },
};

/// A page of users; one row more than the limit when another page follows.
pub async fn list(client: &impl GenericClient, filter: &UserFilter, page: PageRequest) -> Result<Vec<User>> {
    let limit = i64::try_from(page.limit.get() + 1).map_err(Error::internal)?;
    let pattern = filter.search.as_ref().map(SearchText::like_pattern);
    let mut conditions = Conditions::after(vec![&limit]);
    narrow(&mut conditions, filter, pattern.as_ref());
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
    let pattern = filter.search.as_ref().map(SearchText::like_pattern);
    let mut conditions = Conditions::after(vec![&COUNTED_ROWS]);
    narrow(&mut conditions, filter, pattern.as_ref());
    conditions.count(client, "users").await
}

fn narrow<'a>(conditions: &mut Conditions<'a>, filter: &'a UserFilter, pattern: Option<&'a String>) {
    if let Some(pattern) = pattern {
        let number = conditions.number(pattern);
        // The database lowers both sides, so that both follow the rules of its locale.
        conditions.add(format!("search_text LIKE lower(${number})"));
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
