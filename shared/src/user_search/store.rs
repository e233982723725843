//! SQL of the search for users in all tenants.

use deadpool_postgres::GenericClient;

use crate::{
    error::{Error, Result},
    sql::{self, COUNTED_ROWS, Columns, Conditions},
    types::{Count, PageRequest, TimeOrder},
    user_search::{FoundUser, FoundUserAccount, FoundUserTenant, UserSearchFilter},
    users::store::SearchPatterns,
};

sql::columns! {
    FoundUserColumns -> FoundUser {
        tenant: FoundUserTenant { id: "t.id", name: "t.name", slug: "t.slug", status: "t.status" },
        user: FoundUserAccount {
            id: "d.user_id",
            email: "d.email",
            full_name: "d.full_name",
            role: "d.role",
            status: "d.status",
        },
        created_at: "d.created_at",
        updated_at: "d.updated_at",
    }
}

/// A page of users; one row more than the limit when another page follows.
///
/// The page is found first, in one index, and then joined to the rest. A trigger removes the rows of tenants that have no databases any
/// more, so that the page seldom loses a row by the condition on the tenant's status: only if the row was written by hand.
pub async fn list(client: &impl GenericClient, filter: &UserSearchFilter, page: PageRequest) -> Result<Vec<FoundUser>> {
    let limit = i64::try_from(page.limit.get() + 1).map_err(Error::internal)?;
    let patterns = SearchPatterns::of(&filter.search.0.to_search_text());
    let mut conditions = Conditions::after(vec![&limit]);
    narrow(&mut conditions, filter, &patterns);
    let order = conditions.page("created_at", "user_id", &page);
    let direction = if page.order == TimeOrder::NewestFirst { " DESC" } else { "" };
    let query = format!(
        "SELECT {} FROM (SELECT tenant_id, user_id FROM user_directory {} ORDER BY {order} LIMIT $1) AS found
             JOIN user_directory d ON d.tenant_id = found.tenant_id AND d.user_id = found.user_id
             JOIN tenants t ON t.id = found.tenant_id AND t.status IN ('active', 'suspended', 'deleting')
         ORDER BY d.created_at{direction}, d.user_id{direction}",
        FoundUserColumns::LIST,
        conditions.clause()
    );
    let statement = conditions.prepare(client, &query).await?;
    conditions.query(client, &statement, FoundUserColumns::read).await
}

/// The number of users.
pub async fn count(client: &impl GenericClient, filter: &UserSearchFilter) -> Result<Count> {
    let patterns = SearchPatterns::of(&filter.search.0.to_search_text());
    let mut conditions = Conditions::after(vec![&COUNTED_ROWS]);
    narrow(&mut conditions, filter, &patterns);
    conditions.count(client, "user_directory").await
}

fn narrow<'a>(conditions: &mut Conditions<'a>, filter: &'a UserSearchFilter, patterns: &'a SearchPatterns) {
    patterns.narrow(conditions);
    if let Some(roles) = &filter.role {
        conditions.one_of("role", "", roles.as_slice());
    }
    if let Some(status) = &filter.status {
        let number = conditions.number(status);
        conditions.add(format!("status = ${number}"));
    }
}
