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
    let patterns = SearchPatterns::of(filter);
    let mut conditions = Conditions::after(vec![&limit]);
    narrow(&mut conditions, filter, &patterns);
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
    let patterns = SearchPatterns::of(filter);
    let mut conditions = Conditions::after(vec![&COUNTED_ROWS]);
    narrow(&mut conditions, filter, &patterns);
    conditions.count(client, "users").await
}

/// The patterns of a search.
struct SearchPatterns {
    text: Option<String>,
    email: Option<String>,
}

impl SearchPatterns {
    fn of(filter: &UserFilter) -> Self {
        let search = filter.search.as_ref();
        Self { text: search.map(SearchText::like_pattern), email: search.and_then(SearchText::email_pattern) }
    }
}

fn narrow<'a>(conditions: &mut Conditions<'a>, filter: &'a UserFilter, patterns: &'a SearchPatterns) {
    if let Some(pattern) = &patterns.text {
        let number = conditions.number(pattern);
        // The database lowers both sides, so that both follow the rules of its locale. E-mail addresses follow those of Unicode,
        // which differ for a few letters.
        let in_lower_case = format!("search_text LIKE lower(${number})");
        let condition = match &patterns.email {
            None => in_lower_case,
            Some(pattern) => {
                let number = conditions.number(pattern);
                format!("({in_lower_case} OR search_text LIKE ${number})")
            }
        };
        conditions.add(condition);
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
