//! Where a word is mentioned: a search that knows no table, so that a table which is added later is searched, too.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use crate::redis_client;

/// The tables of a database with a row that contains `word` in any column, regardless of case.
pub async fn tables_with(client: &Client, word: &str) -> BTreeSet<String> {
    // A partition belongs to its table.
    let tables = "SELECT relname::text FROM pg_class
                  WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition";
    let mut found = BTreeSet::new();
    for row in client.query(tables, &[]).await.unwrap() {
        let table: String = row.get(0);
        let sql = format!("SELECT EXISTS (SELECT FROM {table} AS t WHERE strpos(lower(t::text), lower($1)) > 0)");
        if client.query_one(&sql, &[&word]).await.unwrap().get(0) {
            found.insert(table);
        }
    }
    found
}

/// The keys in Redis that contain `word`, or whose value does. Fails on a type of value into which it cannot look.
pub async fn redis_keys_with(word: &str) -> Vec<String> {
    let mut redis = redis_client().get_multiplexed_async_connection().await.unwrap();
    let (mut cursor, mut found) = ("0".to_owned(), Vec::new());
    loop {
        let scan: (String, Vec<String>) =
            redis::cmd("SCAN").arg(&cursor).arg("COUNT").arg(1000).query_async(&mut redis).await.unwrap();
        let (next, keys) = scan;
        for key in keys {
            let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut redis).await.unwrap();
            let value: Option<Vec<u8>> = match &*kind {
                "string" => redis::cmd("GET").arg(&key).query_async(&mut redis).await.unwrap(),
                "none" => None,
                "zset" => {
                    let members: Vec<Vec<u8>> =
                        redis::cmd("ZRANGE").arg(&key).arg(0).arg(-1).query_async(&mut redis).await.unwrap();
                    Some(members.concat())
                }
                "hash" => {
                    let fields: Vec<Vec<u8>> = redis::cmd("HGETALL").arg(&key).query_async(&mut redis).await.unwrap();
                    Some(fields.concat())
                }
                "list" => {
                    let items: Vec<Vec<u8>> =
                        redis::cmd("LRANGE").arg(&key).arg(0).arg(-1).query_async(&mut redis).await.unwrap();
                    Some(items.concat())
                }
                "set" => {
                    let members: Vec<Vec<u8>> = redis::cmd("SMEMBERS").arg(&key).query_async(&mut redis).await.unwrap();
                    Some(members.concat())
                }
                other => panic!("{key} is a {other}, into which this search does not look"),
            };
            let value = value.map(|value| String::from_utf8_lossy(&value).into_owned()).unwrap_or_default();
            if key.contains(word) || value.contains(word) {
                found.push(key);
            }
        }
        if next == "0" {
            return found;
        }
        cursor = next;
    }
}
