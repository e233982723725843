//! Searching users: a literal substring, regardless of case, without reading the whole table.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use shared::{
    clients::tenant_databases::TenantDatabases,
    config::Clusters,
    types::{PageRequest, SearchText},
    users::{self, UserFilter},
};

use tests::TestTenant;

use crate::stage::{UsersStage, emails};

#[tokio::test]
async fn a_search_finds_a_literal_substring_of_e_mail_address_or_name_regardless_of_case() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let names = [
        "Ana 100% Kopi",
        "Ana_100 Kopi",
        r"C:\Kopi\Ana",
        "Siti 'O' Reilly",
        "Siti \"Oh\" Reilly",
        "a%b_c\\d'e\"f",
        "Élodie Ångström",
        "ÉLODIE ÅNGSTRÖM",
        "名前 太郎",
        "%",
        "_",
        r"\",
        "x",
    ];
    let inside = stage.inside(&tenant).await;
    for (number, name) in names.iter().enumerate() {
        let insert = "INSERT INTO users (id, email, full_name, role) VALUES (gen_random_uuid(), $1, $2, 'agent')";
        inside.execute(insert, &[&format!("User_{number}@Kopi.example"), name]).await.unwrap();
    }
    let all = stage.list(&tenant, &[]).await;
    assert_eq!(all.len(), names.len() + 1);
    let searches = [
        "%",
        "_",
        r"\",
        "'",
        "\"",
        "%_",
        r"\\",
        r"\%",
        "100%",
        "100_",
        "a%b_c\\d'e\"f",
        "kopi",
        "KOPI",
        "ser_1@ko",
        "élodie",
        "Ångström",
        "太郎",
        "太",
        "x",
        "an",
        "ANA",
        "--",
        "'; DROP TABLE users; --",
        "$1",
        "nobody at all",
        "adm",
        "example",
        // No match spans the e-mail address and the name.
        "exampleana",
        "example ana",
    ];
    for search in searches {
        let found = stage.list(&tenant, &[("search", search)]).await;
        let text = search.to_lowercase();
        let holds = |value: &serde_json::Value| value.as_str().unwrap().to_lowercase().contains(&text);
        let wanted: Vec<_> =
            all.iter().filter(|user| holds(&user["email"]) || holds(&user["full_name"])).cloned().collect();
        assert_eq!(emails(&found), emails(&wanted), "{search:?}");
    }
    assert_eq!(stage.list(&tenant, &[("search", "élodie")]).await.len(), 2);
}

#[tokio::test]
async fn a_search_that_is_too_long_or_invisible_is_refused() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    for bad in [&*"x".repeat(10 * 1024), &*"%".repeat(10 * 1024), &*"x".repeat(121), "a\nb", "a\u{202e}b", "\0", "   "]
    {
        let refused = stage.ask(&tenant, &[("search", bad)]).await;
        assert_eq!((refused.status, refused.faults()), (StatusCode::BAD_REQUEST, vec!["search".to_owned()]));
    }
    assert_eq!(stage.list(&tenant, &[("search", &"%".repeat(120))]).await, [] as [serde_json::Value; 0]);
    assert_eq!(stage.list(&tenant, &[("search", "")]).await.len(), 1);
}

/// Inserts 100,000 users whose names are random letters.
async fn crowd(stage: &UsersStage, tenant: &TestTenant) {
    let inside = stage.inside(tenant).await;
    // The statement may take longer than the timeout of a request.
    inside.batch_execute("SET statement_timeout = 0").await.unwrap();
    inside
        .batch_execute(
            "INSERT INTO users (id, email, full_name, role, created_at)
             SELECT gen_random_uuid(), 'user' || n || '@kopi.example', translate(md5(n::text), '0123456789', 'ghijklmnop'),
                    'agent', timestamptz '2026-02-01' + n * interval '1 s'
             FROM generate_series(1, 100000) AS n;
             INSERT INTO users (id, email, full_name, role, created_at) VALUES
                 (gen_random_uuid(), 'rare@kopi.example', 'Xylia Quartz', 'agent', '2026-01-15')",
        )
        .await
        .unwrap();
    inside.batch_execute("VACUUM (ANALYZE) users").await.unwrap();
}

/// The time for what a list cannot do without: a request for a full page, and, for a text that no index can find, one look at
/// every user. The longest of three, because the machine may be busy.
async fn floor(stage: &UsersStage, tenant: &TestTenant) -> Duration {
    let inside = stage.inside(tenant).await;
    let scan = "SELECT count(*) FROM users WHERE full_name ILIKE '%zz%' OR email ILIKE '%zz%'";
    let mut longest = Duration::ZERO;
    for _ in 0..3 {
        let begun = Instant::now();
        inside.query_one(scan, &[]).await.unwrap();
        assert_eq!(stage.list(tenant, &[]).await.len(), 1000);
        longest = longest.max(begun.elapsed());
    }
    println!("a scan and a page: {longest:?}");
    longest
}

/// The plan of the statement that reads a page, in a session with the function's settings.
async fn plan(stage: &UsersStage, tenant: &TestTenant, search: Option<&str>) -> String {
    let databases = TenantDatabases::connect(&Clusters::single(stage.world.api().url), &stage.world.api()).unwrap();
    let connection = databases.get("main", &tenant.database).await.unwrap();
    let filter = UserFilter { search: search.map(|text| SearchText::parse(text).unwrap()), ..UserFilter::default() };
    users::store::list(&connection, &filter, PageRequest::default()).await.unwrap();
    let own = "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%FROM users%' AND statement NOT LIKE '%pg_prepared%'";
    let name: String = connection.query_one(own, &[]).await.unwrap().get(0);
    let mut values = vec!["1001".to_owned()];
    values.extend(filter.search.map(|text| format!("'{}'", text.like_pattern())));
    let explain = format!("EXPLAIN (COSTS OFF) EXECUTE \"{name}\" ({})", values.join(", "));
    let lines = connection.query(&explain, &[]).await.unwrap();
    lines.iter().map(|line| line.get::<_, &str>(0)).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn among_100_000_users_a_search_uses_an_index_and_a_short_text_is_fast_enough() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    crowd(&stage, &tenant).await;
    for rare in ["xyl", "Quartz", "user77777", "XYLIA q"] {
        let plan = plan(&stage, &tenant, Some(rare)).await;
        assert!(plan.contains("Bitmap Index Scan on users_search"), "{rare}\n{plan}");
        assert!(!plan.contains("Seq Scan"), "{rare}\n{plan}");
    }
    // A text that all users contain is found among the newest.
    for common in [Some("kopi"), Some("ser"), None] {
        let plan = plan(&stage, &tenant, common).await;
        assert!(plan.contains("Index Scan using users_newest"), "{common:?}\n{plan}");
        assert!(!plan.contains("Seq Scan") && !plan.contains("Sort"), "{common:?}\n{plan}");
    }
    assert_eq!(emails(&stage.list(&tenant, &[("search", "xYl")]).await), ["rare@kopi.example"]);
    let enough = floor(&stage, &tenant).await * 5;
    for (search, found) in
        [("zz", 0), ("xy", 1), ("xyl", 1), ("jz", 0), ("q", 1), ("@", 1000), ("us", 1000), ("kop", 1000)]
    {
        let begun = Instant::now();
        let users = stage.list(&tenant, &[("search", search)]).await;
        let took = begun.elapsed();
        println!("search={search:?}: {} users in {took:?}", users.len());
        assert_eq!(users.len(), found, "{search:?}");
        assert!(took < enough, "{search:?} took {took:?}, and {enough:?} are enough");
    }
    // No user, or a single one, matches these.
    for (filter, found) in [(("role", "admin"), 1), (("status", "deactivated"), 0), (("is_online", "true"), 0)] {
        let begun = Instant::now();
        assert_eq!(stage.list(&tenant, &[filter]).await.len(), found, "{filter:?}");
        let took = begun.elapsed();
        println!("{filter:?}: {found} users in {took:?}");
        assert!(took < enough, "{filter:?} took {took:?}, and {enough:?} are enough");
    }
}

#[tokio::test]
async fn a_search_finds_an_e_mail_address_as_it_was_typed() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let user = stage.added(&tenant, "İpek@Kopi.example", "agent").await;
    assert_eq!(user["email"], "i\u{307}pek@kopi.example");
    for text in ["İpek@Kopi", "i\u{307}pek", "İPEK", "PEK@KOPI"] {
        assert_eq!(emails(&stage.list(&tenant, &[("search", text)]).await), ["i\u{307}pek@kopi.example"], "{text}");
    }
    // Another spelling of the same address is taken.
    assert_eq!(stage.add(&tenant, "i\u{307}PEK@KOPI.example").await.status, StatusCode::CONFLICT);
}
