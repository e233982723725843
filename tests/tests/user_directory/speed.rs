//! How long a search takes among 1,000,000 users, and which indexes it uses.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use tests::until;

use crate::stage::DirectoryStage;

const TENANTS: i64 = 20_000;
const USERS_PER_TENANT: i64 = 50;

/// Fills the directory. Indexes are created afterwards, which is faster.
async fn crowd(stage: &DirectoryStage) {
    let definition = async |index: &str| -> String {
        let sql = "SELECT indexdef FROM pg_indexes WHERE indexname = $1";
        stage.owner.query_one(sql, &[&index]).await.unwrap().get(0)
    };
    let definitions = [definition("user_directory_search").await, definition("user_directory_newest").await].join(";");
    stage.sql("DROP INDEX user_directory_search, user_directory_newest").await;
    stage
        .sql(&format!(
            "INSERT INTO tenants (id, name, slug, status, database_name, country, created_at, updated_at)
             SELECT gen_random_uuid(), 'Tenant ' || n, 't-' || n, 'active', 'tenant_' || n, 'ID', now(), now()
             FROM generate_series(1, {TENANTS}) AS n;
             INSERT INTO user_directory
                 (tenant_id, user_id, email, full_name, role, status, revision, created_at, updated_at)
             SELECT t.id, gen_random_uuid(), first || '.' || last || n || '@' || t.slug || '.example',
                    initcap(first || ' ' || last), CASE WHEN n = 1 THEN 'admin' ELSE 'agent' END,
                    CASE WHEN n % 12 = 0 THEN 'deactivated' ELSE 'active' END, 1, at, at
             FROM tenants t, generate_series(1, {USERS_PER_TENANT}) AS n,
                  LATERAL (SELECT (ARRAY['sari', 'budi', 'ana', 'siti', 'joko', 'elena', 'maria', 'peter'])[1 + (n * 7) % 8]
                               || substr(translate(md5(t.slug || n), '0123456789', 'aeiounrtls'), 1, 2 + n % 3),
                           substr(translate(md5(n || t.slug), '0123456789', 'aeiounrtls'), 1, 6),
                           -- In another order than that of the rows.
                           timestamptz '2025-01-01' + abs(hashtext(t.slug || n)::bigint) % 30000000 * interval '1 s')
                      AS x (first, last, at)"
        ))
        .await;
    stage.sql(&definitions).await;
    stage.sql("VACUUM (ANALYZE) user_directory").await;
    stage.sql("ANALYZE tenants").await;
}

/// Durations of requests, the shortest first.
struct Durations(Vec<Duration>);

impl Durations {
    async fn of(stage: &DirectoryStage, paths: &[String]) -> Self {
        let mut durations = Vec::new();
        for path in paths {
            let begun = Instant::now();
            let answer = stage.api.get(path).await;
            durations.push(begun.elapsed());
            assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        }
        durations.sort_unstable();
        Self(durations)
    }

    fn p95(&self) -> Duration {
        self.0[self.0.len() * 95 / 100]
    }

    fn print(&self, what: &str) {
        let (middle, last) = (self.0[self.0.len() / 2], self.0[self.0.len() - 1]);
        println!("{what}: p50 {middle:?}, p95 {:?}, longest {last:?} of {}", self.p95(), self.0.len());
    }
}

/// Scans of an index, or with `seq_scan` of the table.
async fn scans(stage: &DirectoryStage, index: Option<&str>) -> i64 {
    let sql = match index {
        Some(index) => format!("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = '{index}'"),
        None => "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'user_directory'".to_owned(),
    };
    stage.owner.query_one(&sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn among_1_000_000_users_a_search_is_fast_and_uses_the_right_index() {
    let stage = DirectoryStage::new().await;
    crowd(&stage).await;
    assert_eq!(stage.world.count("SELECT FROM user_directory").await, TENANTS * USERS_PER_TENANT);
    let paths = |texts: &[String]| -> Vec<String> {
        texts.iter().map(|text| crate::stage::search_path(&[("search", text)])).collect()
    };
    // Addresses, names, parts of both, and domains of existing users; and texts that nobody has.
    let sql = "SELECT CASE n % 6 WHEN 0 THEN email WHEN 1 THEN upper(full_name) WHEN 2 THEN substr(email, 3, 8)
                      WHEN 3 THEN substr(full_name, 2, 5) WHEN 4 THEN split_part(email, '@', 2) ELSE reverse(email) END
               FROM (SELECT email, full_name, row_number() OVER () AS n FROM user_directory TABLESAMPLE SYSTEM (1)) AS s
               WHERE n % 40 < 6 LIMIT 240";
    let texts: Vec<String> = stage.owner.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(texts.len() >= 200, "{}", texts.len());
    let common: Vec<String> = ["example", "sari", "ana", "@t-1", "maria", "ele", "peter"]
        .iter()
        .cycle()
        .take(70)
        .map(ToString::to_string)
        .collect();

    // What this machine needs for a request at this moment, because other tests may keep it busy.
    let floor = Durations::of(&stage, &vec!["/tenants?limit=1000".to_owned(); 40]).await;
    floor.print("a page of tenants");
    let enough = Duration::from_millis(100).max(floor.p95() * 5);
    Durations::of(&stage, &paths(&texts[..20])).await;

    let whole_before = scans(&stage, None).await;
    for (what, texts, index) in [
        ("texts of few users", &texts, "user_directory_search"),
        ("texts of many users", &common, "user_directory_newest"),
    ] {
        let before = scans(&stage, Some(index)).await;
        let took = Durations::of(&stage, &paths(texts)).await;
        took.print(what);
        assert!(took.p95() <= enough, "{what}: p95 {:?}, and {enough:?} are enough", took.p95());
        // A session reports its scans some seconds later.
        let wanted = i64::try_from(texts.len() * 9 / 10).unwrap();
        until("the scans are counted", Duration::from_secs(30), async || {
            scans(&stage, Some(index)).await - before >= wanted
        })
        .await;
    }
    assert_eq!(scans(&stage, None).await, whole_before, "no search reads the whole table");
}
