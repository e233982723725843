//! Searching: literal texts without regard to case, filters, pages, rights, and the audit entry.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::types::{SuperAdminRole, TenantId};
use tests::{
    TestTenant,
    api::answer,
    tokens::{claims, sign},
};

use crate::stage::{DirectoryStage, emails, search_path};

/// Names of people in several tenants, two of each created at the same time.
const NAMES: [&str; 18] = [
    "Ana 100% Kopi",
    "Ana_100 Kopi",
    r"C:\Kopi\Ana",
    "Siti 'O' Reilly",
    "Siti \"Oh\" Reilly",
    "a%b_c\\d'e\"f",
    "Élodie Ångström",
    "ÉLODIE ÅNGSTRÖM",
    "名前 太郎君",
    "%%%",
    "___",
    r"\\\",
    "<b>Bold</b> & <script>alert(1)</script>",
    "&lt;b&gt;",
    "-- DROP TABLE users; --",
    "Οδυσσέας",
    "مريم العلي",
    "xyz",
];

/// Tenants without databases, each with all of the names. A search opens no tenant's database.
async fn crowd(stage: &DirectoryStage) {
    stage.world.leaves_contradictions("a test writes users who do not exist");
    for tenant in 0..3 {
        let id = TenantId::generate();
        TestTenant::of(id).register(&stage.owner, 1, None).await;
        for (number, name) in NAMES.iter().enumerate() {
            let row = "INSERT INTO user_directory
                           (tenant_id, user_id, email, full_name, role, status, revision, created_at, updated_at)
                       VALUES ($1, gen_random_uuid(), $2, $3, (ARRAY['admin', 'supervisor', 'agent'])[1 + $4::integer % 3],
                               CASE WHEN $4 % 4 = 0 THEN 'deactivated' ELSE 'active' END, 1,
                               timestamptz '2026-02-01' + $4 / 2 * interval '1 min', '2026-03-01')";
            let (email, number) = (format!("user_{number}@kopi{tenant}.example"), i32::try_from(number).unwrap());
            stage.owner.execute(row, &[&id.0, &email, name, &number]).await.unwrap();
        }
    }
}

/// All pages of a list.
async fn walk(stage: &DirectoryStage, query: &[(&str, &str)]) -> Vec<Value> {
    let (mut walked, mut path) = (Vec::new(), search_path(query));
    loop {
        let page = stage.api.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        walked.extend(page.json.as_array().unwrap().iter().cloned());
        let Some((target, _)) = page.header("link").split_once(">; rel=\"next\"") else { return walked };
        target.strip_prefix("</api/super-admin").unwrap().clone_into(&mut path);
    }
}

#[tokio::test]
async fn a_search_finds_a_literal_text_of_e_mail_address_or_name_regardless_of_case() {
    let stage = DirectoryStage::new().await;
    crowd(&stage).await;
    let all = stage.search(&[("search", "example")]).await;
    assert_eq!(all.len(), 3 * NAMES.len());
    for text in [
        "%%%",
        "___",
        r"\\\",
        "100%",
        "_100",
        "100_",
        "a%b_c\\d'e\"f",
        "kopi",
        "KOPI1",
        "ser_1@ko",
        "élodie",
        "Ångström",
        "太郎君",
        "xyz",
        "ana",
        "ANA",
        "-- DROP",
        "'; DROP TABLE users; --",
        "$1$",
        "nobody at all",
        "<b>",
        "</script>",
        "&lt;",
        "\"oh\"",
        "οδυσ",
        "العلي",
        "@kopi2.example",
        // No match spans the e-mail address and the name.
        "exampleana",
        "example ana",
    ] {
        let lower = text.to_lowercase();
        let holds = |value: &Value| value.as_str().unwrap().to_lowercase().contains(&lower);
        let wanted: Vec<_> = all
            .iter()
            .filter(|item| holds(&item["user"]["email"]) || holds(&item["user"]["full_name"]))
            .cloned()
            .collect();
        assert_eq!(emails(&stage.search(&[("search", text)]).await), emails(&wanted), "{text:?}");
        for limit in ["1", "2", "7"] {
            assert_eq!(walk(&stage, &[("search", text), ("limit", limit)]).await, wanted, "{text:?} by {limit}");
        }
        let mut oldest_first = wanted.clone();
        oldest_first.reverse();
        let walked = walk(&stage, &[("search", text), ("limit", "5"), ("sort", "created_at")]).await;
        assert_eq!(walked, oldest_first, "{text:?}");
        let counted = stage.ask(&[("search", text), ("limit", "1"), ("count", "true")]).await;
        assert_eq!(
            (counted.header("x-total-count"), counted.header("x-total-count-relation")),
            (&*wanted.len().to_string(), "eq")
        );
    }
}

#[tokio::test]
async fn filters_restrict_a_search() {
    let stage = DirectoryStage::new().await;
    crowd(&stage).await;
    let all = stage.search(&[("search", "example")]).await;
    let matching = |wanted: &dyn Fn(&Value) -> bool| -> Vec<Value> {
        all.iter().filter(|item| wanted(&item["user"])).cloned().collect()
    };
    for role in ["admin", "supervisor", "agent"] {
        let found = stage.search(&[("search", "example"), ("role", role)]).await;
        assert_eq!(found, matching(&|user| user["role"] == role));
        assert_eq!(found.len(), NAMES.len());
    }
    assert_eq!(
        stage.search(&[("search", "example"), ("role", "admin,agent"), ("status", "deactivated")]).await,
        matching(&|user| user["role"] != "supervisor" && user["status"] == "deactivated")
    );
    let active = stage.search(&[("search", "kopi1"), ("status", "active")]).await;
    assert!(!active.is_empty() && active.iter().all(|item| item["user"]["status"] == "active"));
}

#[tokio::test]
async fn a_text_that_is_missing_too_short_too_long_or_invisible_is_refused() {
    let stage = DirectoryStage::new().await;
    let long = "x".repeat(121);
    for bad in ["", "a", "ab", "  ab  ", &*long, "a\nbc", "a\u{202e}bc", "\0abc"] {
        let refused = stage.ask(&[("search", bad)]).await;
        assert_eq!((refused.status, refused.faults()), (StatusCode::BAD_REQUEST, vec!["search".to_owned()]), "{bad:?}");
    }
    let refused = stage.ask(&[("role", "king"), ("status", "gone"), ("tenant_id", "7"), ("cursor", "x")]).await;
    let places = ["cursor", "role", "search", "status", "tenant_id"];
    assert_eq!((refused.status, refused.faults()), (StatusCode::BAD_REQUEST, places.map(str::to_owned).to_vec()));
    assert!(stage.search(&[("search", &"x".repeat(120))]).await.is_empty());
    // A fixed path is none of a user.
    assert_eq!(stage.api.get("/users/search").await.faults(), ["search"]);
}

#[tokio::test]
async fn a_viewer_may_search_and_a_caller_without_a_token_may_not() {
    let stage = DirectoryStage::new().await;
    stage.tenant().await;
    let path = search_path(&[("search", "sari@kopi")]);
    let viewer = sign(&claims(&stage.world.operator(SuperAdminRole::Viewer).await.to_string()));
    let found = answer(stage.api.anonymous(Method::GET, &path).bearer_auth(viewer)).await;
    assert_eq!(
        (found.status, emails(found.json.as_array().unwrap())),
        (StatusCode::OK, vec!["sari@kopi.example".to_owned()])
    );
    let refused = answer(stage.api.anonymous(Method::GET, &path)).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(!refused.text.contains("kopi.example"), "{}", refused.text);
}

#[tokio::test]
async fn a_search_is_in_the_audit_log_without_its_text() {
    let stage = DirectoryStage::new().await;
    let tenant = stage.tenant().await;
    stage.search(&[("search", "sari@kopi")]).await;
    stage.search(&[("search", "nobody"), ("role", "admin,agent"), ("status", "active"), ("limit", "5")]).await;
    assert_eq!(stage.ask(&[("search", "x")]).await.status, StatusCode::BAD_REQUEST);
    let sql =
        "SELECT details, actor, tenant_id IS NULL, request_id IS NOT NULL, source_address, row_to_json(audit)::text
               FROM audit WHERE action = 'user.search' AND outcome = 'done' ORDER BY id";
    let rows = stage.owner.query(sql, &[]).await.unwrap();
    let details: Vec<Value> = rows.iter().map(|row| row.get(0)).collect();
    let wanted = [
        json!({ "rows": 1, "filter": { "search": true } }),
        json!({ "rows": 0, "filter": { "search": true, "role": ["admin", "agent"], "status": "active" } }),
    ];
    assert_eq!(details, wanted);
    for row in &rows {
        assert_eq!(
            (row.get(1), row.get(2), row.get(3), row.get(4)),
            (tests::tokens::OWNER, true, true, Some("127.0.0.1"))
        );
        let text: String = row.get(5);
        assert!(!text.contains("sari") && !text.contains("nobody"), "{text}");
    }
    // Without the right to write the entry, the users are returned nevertheless.
    stage.sql("REVOKE INSERT ON audit FROM landlord_api").await;
    assert_eq!(stage.emails("sari@kopi").await, ["sari@kopi.example"]);
    // So are they while the tenant's database is gone, because the search does not open it.
    stage.sql("GRANT INSERT ON audit TO landlord_api").await;
    tests::platform::end_sessions_in(&tenant.database).await;
    stage.sql(&format!("DROP DATABASE {}", tenant.database)).await;
    assert_eq!(stage.emails("sari@kopi").await, ["sari@kopi.example"]);
}

#[tokio::test]
async fn the_directory_contains_no_secret_and_each_login_may_do_what_it_needs() {
    let stage = DirectoryStage::new().await;
    let sql = "SELECT column_name::text FROM information_schema.columns WHERE table_name = 'user_directory' ORDER BY 1";
    let columns: Vec<String> = stage.owner.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(
        columns,
        [
            "created_at",
            "email",
            "full_name",
            "revision",
            "role",
            "search_text",
            "status",
            "tenant_id",
            "updated_at",
            "user_id"
        ]
    );
    let rights = async |role: &str| -> String {
        let sql = "SELECT coalesce(string_agg(privilege_type, ', ' ORDER BY privilege_type), '')
                   FROM information_schema.role_table_grants WHERE table_name = 'user_directory' AND grantee = $1";
        stage.owner.query_one(sql, &[&role]).await.unwrap().get(0)
    };
    assert_eq!(rights("landlord_api").await, "DELETE, INSERT, SELECT");
    assert_eq!(rights("landlord_provisioner").await, "INSERT");
}
