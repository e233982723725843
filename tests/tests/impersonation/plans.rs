//! The query plans of pages of impersonations.

use std::time::Duration;

use shared::{
    audit::ActorName,
    clients::postgres::Postgres,
    impersonations::{self, ImpersonationFilter},
    types::{Cursor, PageLimit, PageRequest, TenantId, TimeOrder, UserId},
};
use tests::{
    World,
    plans::{assert_found_in_index, assert_page_from_index, plans},
};
use time::OffsetDateTime;
use uuid::Uuid;

const ID: &str = "'0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee'";

/// Ended impersonations in 20,001 tenants. A tenant, a super-admin and a user have one in a thousand each.
const SEED: &str = "
    INSERT INTO tenants (id, name, slug, status, database_name, country, created_at, updated_at)
    SELECT CASE WHEN n = 0 THEN '0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee' ELSE gen_random_uuid() END,
           'T', 't' || n, 'active', 't_' || n, 'ID', now(), now()
    FROM generate_series(0, 20000) AS n;
    INSERT INTO impersonations (id, admin_id, tenant_id, user_id, user_email, access, reason, started_at, expires_at,
                                recorded_at, ended_at, ended_by, end_reason)
    SELECT gen_random_uuid(), CASE WHEN n % 1000 = 7 THEN 'one' ELSE 'admin-' || n % 500 END, tenants.id,
           CASE WHEN n % 1000 = 8 THEN '0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee' ELSE gen_random_uuid() END,
           'sari@kopi.example', 'read', 'Looks at the inbox', t, t + interval '30 min', t, t + interval '9 min', 'system', 'ended'
    FROM generate_series(1, 20000) AS n CROSS JOIN LATERAL (SELECT now() - n * interval '1 s') AS x (t)
    JOIN tenants ON slug = 't' || CASE WHEN n % 1000 = 9 THEN 0 ELSE n END";

#[tokio::test]
async fn a_page_by_any_filter_is_read_from_an_index() {
    let world = World::new().await;
    let owner = world.patient_client().await;
    owner.batch_execute(SEED).await.unwrap();
    owner.batch_execute("VACUUM ANALYZE impersonations, tenants, super_admins").await.unwrap();
    let filter = ImpersonationFilter::default;
    let example = TenantId::EXAMPLE.parse().unwrap();
    // In the middle of the rows.
    let middle = Cursor { created_at: OffsetDateTime::now_utc() - Duration::from_secs(10_000), id: Uuid::max() };
    let after_middle = ["now() - interval '10000 s'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"];
    for order in [TimeOrder::NewestFirst, TimeOrder::OldestFirst] {
        for (filter, index, values) in [
            (filter(), "impersonations_newest", vec![]),
            (ImpersonationFilter { tenant_id: Some(example), ..filter() }, "impersonations_of_tenant", vec![ID]),
            (
                ImpersonationFilter { admin_id: Some(ActorName::parse("one").unwrap()), ..filter() },
                "impersonations_of_admin",
                vec!["'one'"],
            ),
            (ImpersonationFilter { user_id: Some(UserId(example.0)), ..filter() }, "impersonations_of_user", vec![ID]),
            (ImpersonationFilter { live: Some(false), ..filter() }, "impersonations_newest", vec![]),
        ] {
            for cursor in [None, Some(middle)] {
                // A connection that has prepared no other statement.
                let connection = Postgres::connect(&world.api()).unwrap().get().await.unwrap();
                let page = PageRequest { order, limit: PageLimit::parse("50").unwrap(), cursor };
                let after = cursor.map_or(vec![], |_| after_middle.to_vec());
                impersonations::store::list(&connection, &filter, page).await.unwrap();
                let values = [vec!["51"], values.clone(), after].concat();
                let plans = plans(&connection, "FROM impersonations", &values).await;
                let tables = ["impersonations", "tenants"];
                match index {
                    "impersonations_newest" => assert_page_from_index(&plans, &tables, index),
                    _ => assert_found_in_index(&plans, &tables, index),
                }
            }
        }
    }
}
