//! GET of users of a tenant with 100,000 users: searches, the slowest searches, and the first request for a tenant to which
//! the function has no connection.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use serde_json::Value;
use shared::{clients::postgres::connect_once, types::TenantId};
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use crate::{
    benchmarks::table::{head, heading, row},
    error::Result,
    measure::{
        request::{body, event},
        runtime::Function,
        samples::{Samples, ms},
    },
    platform::{filled_tenants::fill_users, instance::BenchPlatform},
    report::BenchReport,
};

const USERS: usize = 100_000;
const ROUNDS: usize = 400;
const WARM_UP: usize = 30;
const FIRST_ROUNDS: usize = 200;
const PAGE: i64 = 1000;
/// Two characters that no user has. They are too short for the trigram index, so the search reads every row.
const WORST_SEARCHES: [&str; 6] = ["qz", "zq", "%_", "\\'", "xj", "9%"];
const WORST_ROUNDS: usize = 20;
/// How much longer than the query a search may take, and how much longer than a connection the first request for a tenant.
const BEYOND_QUERY: Duration = Duration::from_millis(20);
const BEYOND_CONNECTION: Duration = Duration::from_millis(30);
const WORST_GOAL: Duration = Duration::from_millis(100);

/// The query of a search, without the function around it.
struct UserSearchFloor {
    client: Client,
    search: Statement,
}

impl UserSearchFloor {
    async fn of(platform: &BenchPlatform, database: &str) -> Result<Self> {
        let client = connect_once(&platform.stores.api, Some(database)).await.map_err(|error| error.chain())?;
        client.batch_execute("SET plan_cache_mode = force_custom_plan").await?;
        let search = client
            .prepare(
                "SELECT id, email, full_name, role, status, (status = 'active' AND coalesce(online_until > now(), false)),
                        last_seen_at, created_at, updated_at, revision
                 FROM users WHERE search_text LIKE lower($2) ORDER BY created_at DESC, id DESC LIMIT $1",
            )
            .await?;
        Ok(Self { client, search })
    }

    /// Returns the duration of a search and the number of its rows.
    async fn search(&self, text: &str) -> Result<(Duration, usize)> {
        let escaped = text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
        let begun = Instant::now();
        let rows = self.client.query(&self.search, &[&PAGE, &format!("%{escaped}%")]).await?;
        Ok((begun.elapsed(), rows.len()))
    }

    /// Parts of existing names, of at least three characters.
    async fn texts(&self) -> Result<Vec<String>> {
        let sql = "SELECT lower(substr(full_name, 1 + n % 3, 3 + n % 5))
                   FROM (SELECT full_name, row_number() OVER (ORDER BY id)::integer AS n FROM users) AS numbered
                   WHERE n % 317 = 0 AND length(trim(substr(full_name, 1 + n % 3, 3 + n % 5))) >= 3";
        Ok(self.client.query(sql, &[]).await?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }
}

pub(crate) async fn measure(platform: &BenchPlatform, report: &mut BenchReport) -> Result<()> {
    heading(&format!("GET of users of a tenant with {USERS} users"));
    let tenants = create_tenants(platform).await?;
    let [(id, database), ..] = &tenants[..] else { return Err("no tenant was created".into()) };
    fill_users(platform, TenantId(*id), USERS).await?;
    let floor = UserSearchFloor::of(platform, database).await?;
    let function = Function::start(&platform.program("list-users"), 1).await?;
    let (mut query, mut searches) = (Samples::default(), Samples::default());
    let texts = floor.texts().await?;
    for (round, text) in texts.iter().cycle().take(WARM_UP + ROUNDS).enumerate() {
        let (queried, rows) = floor.search(text).await?;
        let (took, users) = search(platform, &function, *id, text).await?;
        // The function trims the text, so it may find more than the query.
        if users < rows.min(1000) {
            return Err(format!("search for `{text}`: the query returns {rows} users, the function {users}").into());
        }
        if round >= WARM_UP {
            query.push(queried);
            searches.push(took);
        }
    }
    let (mut worst_query, mut worst) = (Samples::default(), Samples::default());
    for text in WORST_SEARCHES.iter().cycle().take(WORST_SEARCHES.len() * WORST_ROUNDS) {
        worst_query.push(floor.search(text).await?.0);
        worst.push(search(platform, &function, *id, text).await?.0);
    }
    let (connections, firsts) = first_requests(platform, &tenants).await?;
    head();
    row("the query of a search", &query);
    row("list-users, search", &searches);
    row("the query, two characters, no match", &worst_query);
    row("list-users, two characters, no match", &worst);
    row("a connection and a query", &connections);
    row("list-users, first request for tenant", &firsts);
    let beyond = |report: &mut BenchReport, name: &str, floor: Duration, measured: Duration, by: Duration| {
        report.at_most(name, Some(floor), measured, floor + by);
    };
    report.without_goal("users, search of 100,000, p50", &ms(query.p50()), &ms(searches.p50()));
    beyond(report, "users, search of 100,000, p99", query.p99(), searches.p99(), BEYOND_QUERY);
    report.at_most("users, slowest search, max", Some(worst_query.max()), worst.max(), WORST_GOAL);
    beyond(report, "users, first request for a tenant, p50", connections.p50(), firsts.p50(), BEYOND_CONNECTION);
    beyond(report, "users, first request for a tenant, p99", connections.p99(), firsts.p99(), BEYOND_CONNECTION);
    Ok(())
}

/// Creates two tenants, and returns their ids and the names of their databases.
async fn create_tenants(platform: &BenchPlatform) -> Result<Vec<(Uuid, String)>> {
    let provisioning = platform.provisioning().await?;
    let ids = provisioning.request_many("crowded", 2).await?;
    provisioning.wait_until_active(&ids).await?;
    let sql = "SELECT id, database_name FROM tenants WHERE id = ANY($1)";
    let rows = platform.stores.connect_owner().await?.query(sql, &[&ids]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Returns the duration of a search and the number of users.
async fn search(platform: &BenchPlatform, function: &Function, tenant: Uuid, text: &str) -> Result<(Duration, usize)> {
    let mut query = format!("tenant_id={tenant}&search=");
    for byte in text.bytes() {
        write!(query, "%{byte:02x}")?;
    }
    let event = event(&platform.token, "GET", "/users", &query, None);
    let result = function.invoke(event).await?;
    let users: Vec<Value> = serde_json::from_str(&body(&result, 200)?)?;
    Ok((result.took, users.len()))
}

/// Measures the first request for a tenant: a function with at most one tenant connection serves two tenants alternately, so
/// that it has to reconnect for every request.
async fn first_requests(platform: &BenchPlatform, tenants: &[(Uuid, String)]) -> Result<(Samples, Samples)> {
    let mut program = platform.program("list-users");
    program.variables.push(("POSTGRES_TENANT_CONNECTIONS", "1".to_owned()));
    let function = Function::start(&program, 1).await?;
    let (mut connections, mut firsts) = (Samples::default(), Samples::default());
    for (round, (id, database)) in tenants.iter().cycle().take(WARM_UP + FIRST_ROUNDS).enumerate() {
        let begun = Instant::now();
        let client = connect_once(&platform.stores.api, Some(database)).await.map_err(|error| error.chain())?;
        client.query("SELECT id FROM users ORDER BY created_at DESC, id DESC LIMIT 1", &[]).await?;
        let connected = begun.elapsed();
        drop(client);
        let event = event(&platform.token, "GET", "/users", &format!("tenant_id={id}&limit=1"), None);
        let result = function.invoke(event).await?;
        body(&result, 200)?;
        if round >= WARM_UP {
            connections.push(connected);
            firsts.push(result.took);
        }
    }
    Ok((connections, firsts))
}
