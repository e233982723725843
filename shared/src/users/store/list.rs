//! Lists of users.

use deadpool_postgres::GenericClient;

use crate::{
    error::{Error, Result},
    sql::{Columns, Conditions},
    types::{Cursor, PageLimit, SearchText},
    users::{
        User, UserFilter,
        store::{IS_ONLINE, UserColumns},
    },
};

/// A page of users after `cursor`, newest first; one row more than `limit` when another page follows.
pub async fn list(
    client: &impl GenericClient,
    filter: &UserFilter,
    cursor: Option<Cursor>,
    limit: PageLimit,
) -> Result<Vec<User>> {
    let limit = i64::try_from(limit.get() + 1).map_err(Error::internal)?;
    let pattern = filter.search.as_ref().map(SearchText::like_pattern);
    let email_pattern = filter.search.as_ref().and_then(SearchText::email_pattern);
    let mut conditions = Conditions::after(vec![&limit]);
    if let Some(pattern) = &pattern {
        let number = conditions.number(pattern);
        // The database lowers both sides, so that both follow the rules of its locale. E-mail addresses follow those of Unicode,
        // which differ for a few letters.
        let in_lower_case = format!("search_text LIKE lower(${number})");
        let condition = match &email_pattern {
            None => in_lower_case,
            Some(pattern) => {
                let number = conditions.number(pattern);
                format!("({in_lower_case} OR search_text LIKE ${number})")
            }
        };
        conditions.add(condition);
    }
    if let Some(role) = &filter.role {
        let number = conditions.number(role);
        conditions.add(format!("role = ${number}"));
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
    if let Some(cursor) = &cursor {
        conditions.continue_after(cursor);
    }
    let statement = client
        .prepare_cached(&format!(
            "SELECT {} FROM users {} ORDER BY created_at DESC, id DESC LIMIT $1",
            UserColumns::LIST,
            conditions.clause()
        ))
        .await?;
    conditions.query(client, &statement, UserColumns::read).await
}
