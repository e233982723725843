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
        assert!(!sorts(plan), "{index}\n{plan}");
        for slow in ["Seq Scan", "Hash", "Bitmap"] {
            assert!(!plan.contains(slow), "{index}\n{plan}");
        }
    }
}

/// Asserts that every plan finds the rows of its page in an index whose name begins with `index`, and reads none of these tables
/// as a whole. A few found rows may be sorted, and small tables may be joined to the page in any way.
pub fn assert_found_in_index(plans: &[String], tables: &[&str], index: &str) {
    for plan in plans {
        let page = limited(plan);
        let is_used = [format!("using {index}"), format!("Bitmap Index Scan on {index}")];
        assert!(is_used.iter().any(|scan| page.contains(scan)), "{index}\n{plan}");
        for table in tables {
            assert!(!page.contains(&format!("Seq Scan on {table}")), "{index}\n{plan}");
        }
    }
}

/// As [`assert_found_in_index`], where the rows must be in the order of the index, because they may be many.
pub fn assert_page_from_index(plans: &[String], tables: &[&str], index: &str) {
    assert_found_in_index(plans, tables, index);
    for plan in plans {
        assert!(!sorts(&limited(plan)), "{index}\n{plan}");
    }
}

fn sorts(plan: &str) -> bool {
    // `Merge Append` has a line `Sort Key`, and sorts nothing.
    plan.lines().any(|line| line.trim_start_matches([' ', '-', '>']).trim_start_matches("Incremental ") == "Sort")
}

/// The part of a plan below its `Limit`: indented more than it.
pub fn limited(plan: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '-', '>']).len();
    let mut lines = plan.lines().skip_while(|line| !line.contains("Limit"));
    let first = lines.next().unwrap_or_else(|| panic!("no limit: {plan}"));
    lines.take_while(|line| indent(line) > indent(first)).collect::<Vec<_>>().join("\n")
}
