//! The query plans of statements that a connection has prepared.

use shared::clients::postgres::Connection;

/// The plans of the prepared statement that contains a text: the custom plan for `values`, which are written as in SQL, and the
/// generic one.
pub async fn plans(connection: &Connection, containing: &str, values: &[&str]) -> Vec<String> {
    let own = "SELECT name FROM pg_prepared_statements
               WHERE statement LIKE '%' || $1 || '%' AND statement NOT LIKE '%pg_prepared%'";
    let name: String = connection.query_one(own, &[&containing]).await.unwrap().get(0);
    let explain = format!("EXPLAIN (COSTS OFF) EXECUTE \"{name}\" ({})", values.join(", "));
    let mut plans = Vec::new();
    for mode in ["force_custom_plan", "force_generic_plan"] {
        connection.batch_execute(&format!("SET plan_cache_mode = {mode}")).await.unwrap();
        let lines = connection.query(&explain, &[]).await.unwrap();
        plans.push(lines.iter().map(|line| line.get::<_, &str>(0)).collect::<Vec<_>>().join("\n"));
    }
    plans
}

/// Asserts that every plan reads rows in order from an index whose name begins with `index`, without a sort and a full scan.
pub fn assert_ordered_by_index(plans: &[String], index: &str) {
    for plan in plans {
        assert!(plan.contains(&format!("using {index}")), "{index}\n{plan}");
        // `Merge Append` has a line `Sort Key`, and sorts nothing.
        let sorts = |line: &str| line.trim_start_matches([' ', '-', '>']).trim_start_matches("Incremental ") == "Sort";
        assert!(!plan.lines().any(sorts), "{index}\n{plan}");
        for slow in ["Seq Scan", "Hash", "Bitmap"] {
            assert!(!plan.contains(slow), "{index}\n{plan}");
        }
    }
}
