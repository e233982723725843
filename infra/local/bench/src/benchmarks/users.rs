//! The users of a tenant that has 100,000: searches, the worst of two characters, and the first request about a tenant that
//! the function has no connection to.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use seed::agents::{self, Home};
use serde_json::Value;
use shared::{clients::postgres::connect_once, config::Clusters, domain::TenantId};
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use super::{head, heading, row};
use crate::{
    Result,
    report::Report,
    request::{body, event},
    runtime::Function,
    samples::{Samples, ms},
    world::World,
};

const USERS: usize = 100_000;
const ROUNDS: usize = 400;
const WARM_UP: usize = 30;
const COLD_ROUNDS: usize = 200;
const PAGE: i64 = 1000;
/// Nobody has these: everyone has to be looked at.
const WORST: [&str; 6] = ["qz", "zq", "%_", "\\'", "xj", "9%"];
const WORST_ROUNDS: usize = 20;
/// How much longer than the bare query a search may take, and than a bare connection the first request about a tenant.
const BEYOND_QUERY: Duration = Duration::from_millis(20);
const BEYOND_CONNECT: Duration = Duration::from_millis(30);
const WORST_GOAL: Duration = Duration::from_millis(100);

/// The very query of a search, and nothing around it.
struct Floor {
    client: Client,
    search: Statement,
}

impl Floor {
    async fn of(world: &World, database: &str) -> Result<Self> {
        let client = connect_once(&world.api, Some(database)).await.map_err(|error| error.chain())?;
        client.batch_execute("SET plan_cache_mode = force_custom_plan").await?;
        let search = client
            .prepare(
                "SELECT id, email, full_name, role, status, (status = 'active' AND coalesce(online_until > now(), false)),
                        last_seen_at, created_at, updated_at, revision
                 FROM agents WHERE search_text LIKE lower($2) ORDER BY created_at DESC, id DESC LIMIT $1",
            )
            .await?;
        Ok(Self { client, search })
    }

    /// How long a search takes, and how many it finds.
    async fn search(&self, text: &str) -> Result<(Duration, usize)> {
        let escaped = text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
        let begun = Instant::now();
        let rows = self.client.query(&self.search, &[&PAGE, &format!("%{escaped}%")]).await?;
        Ok((begun.elapsed(), rows.len()))
    }

    /// Parts of names that there are, of three characters and more.
    async fn texts(&self) -> Result<Vec<String>> {
        let sql = "SELECT lower(substr(full_name, 1 + n % 3, 3 + n % 5))
                   FROM (SELECT full_name, row_number() OVER (ORDER BY id)::integer AS n FROM agents) AS numbered
                   WHERE n % 317 = 0 AND length(trim(substr(full_name, 1 + n % 3, 3 + n % 5))) >= 3";
        Ok(self.client.query(sql, &[]).await?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }
}

/// The query and ours, in turn; then connections and first requests, in turn.
pub(crate) async fn measure(world: &World, report: &mut Report) -> Result<()> {
    heading(&format!("GET users out of {USERS} of one tenant"));
    let tenants = tenants(world).await?;
    let [(id, database), ..] = &tenants[..] else { return Err("no tenant was made".into()) };
    fill(world, *id).await?;
    let floor = Floor::of(world, database).await?;
    let ours = Function::start(&world.program("list-users"), 1).await?;
    let (mut sql, mut searches) = (Samples::default(), Samples::default());
    let texts = floor.texts().await?;
    for (round, text) in texts.iter().cycle().take(WARM_UP + ROUNDS).enumerate() {
        let (queried, rows) = floor.search(text).await?;
        let (took, users) = search(world, &ours, *id, text).await?;
        // Blanks around what is searched for do not count, so that more may be found.
        if users < rows.min(1000) {
            return Err(format!("`{text}`: {rows} rows became {users} users").into());
        }
        if round >= WARM_UP {
            sql.push(queried);
            searches.push(took);
        }
    }
    let (mut worst_sql, mut worst) = (Samples::default(), Samples::default());
    for text in WORST.iter().cycle().take(WORST.len() * WORST_ROUNDS) {
        worst_sql.push(floor.search(text).await?.0);
        worst.push(search(world, &ours, *id, text).await?.0);
    }
    let (connects, firsts) = cold(world, &tenants).await?;
    head();
    row("the query of a search", &sql);
    row("list-users, search", &searches);
    row("the query of two characters, nobody", &worst_sql);
    row("list-users, two characters, nobody", &worst);
    row("a connection and the query", &connects);
    row("list-users, first of a tenant", &firsts);
    let beyond = |figure: &mut Report, name: &str, floor: Duration, ours: Duration, by: Duration| {
        figure.at_most(name, Some(floor), ours, floor + by);
    };
    report.seen("users, search of 100,000, p50", &ms(sql.p50()), &ms(searches.p50()));
    beyond(report, "users, search of 100,000, p99", sql.p99(), searches.p99(), BEYOND_QUERY);
    report.at_most("users, worst of two characters, max", Some(worst_sql.max()), worst.max(), WORST_GOAL);
    beyond(report, "users, first of a tenant, p50", connects.p50(), firsts.p50(), BEYOND_CONNECT);
    beyond(report, "users, first of a tenant, p99", connects.p99(), firsts.p99(), BEYOND_CONNECT);
    Ok(())
}

/// Two tenants, each with its database.
async fn tenants(world: &World) -> Result<Vec<(Uuid, String)>> {
    let provisioning = world.provisioning().await?;
    let ids = provisioning.ask_for_many("crowded", 2).await?;
    provisioning.wait_for(&ids).await?;
    let sql = "SELECT id, database_name FROM organizations WHERE id = ANY($1)";
    let rows = world.owner().await?.query(sql, &[&ids]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn fill(world: &World, id: Uuid) -> Result<()> {
    let platform = world.owner().await?;
    let home = Home::find(&platform, TenantId(id)).await.map_err(|error| error.chain())?;
    let clusters = Clusters::single(world.owner.url.clone());
    let filled = agents::fill(&platform, &home, (&clusters, &world.owner), USERS, drop).await;
    filled.map_err(|error| error.chain())?;
    Ok(())
}

/// How long a search takes, and how many it finds.
async fn search(world: &World, ours: &Function, tenant: Uuid, text: &str) -> Result<(Duration, usize)> {
    let mut query = format!("tenant_id={tenant}&search=");
    for byte in text.bytes() {
        write!(query, "%{byte:02x}")?;
    }
    let event = event(&world.token, "GET", "/users", &query, None);
    let answer = ours.invoke(event).await?;
    let users: Vec<Value> = serde_json::from_str(&body(&answer, 200)?)?;
    Ok((answer.took, users.len()))
}

/// A function that may have one connection is asked about two tenants by turns, so that it never has the right one.
async fn cold(world: &World, tenants: &[(Uuid, String)]) -> Result<(Samples, Samples)> {
    let mut program = world.program("list-users");
    program.variables.push(("POSTGRES_TENANT_CONNECTIONS", "1".to_owned()));
    let ours = Function::start(&program, 1).await?;
    let (mut connects, mut firsts) = (Samples::default(), Samples::default());
    for (round, (id, database)) in tenants.iter().cycle().take(WARM_UP + COLD_ROUNDS).enumerate() {
        let begun = Instant::now();
        let client = connect_once(&world.api, Some(database)).await.map_err(|error| error.chain())?;
        client.query("SELECT id FROM agents ORDER BY created_at DESC, id DESC LIMIT 1", &[]).await?;
        let connected = begun.elapsed();
        drop(client);
        let event = event(&world.token, "GET", "/users", &format!("tenant_id={id}&limit=1"), None);
        let answer = ours.invoke(event).await?;
        body(&answer, 200)?;
        if round >= WARM_UP {
            connects.push(connected);
            firsts.push(answer.took);
        }
    }
    Ok((connects, firsts))
}
