//! A warm GET of 1,000 tenants with usage out of 10,000: newest first, in the order of a figure, and page by page through
//! all.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_postgres::{Client, Statement};

use super::{COLUMNS, head, heading, row};
use crate::{
    Result,
    report::Report,
    request::{body, event, header},
    runtime::{Answer, Function},
    samples::Samples,
    world::World,
};

const ROUNDS: usize = 400;
const WARM_UP: usize = 30;
const WALKS: usize = 60;
pub(super) const LIMIT: i64 = 1000;
/// Every order but that of age.
const SORTS: [&str; 10] = [
    "agents",
    "-agents",
    "agents_online",
    "-agents_online",
    "contacts",
    "-contacts",
    "messages_month",
    "-messages_month",
    "storage_bytes",
    "-storage_bytes",
];
/// How many times its floor the median of a page may take.
const TIMES: f64 = 2.5;
/// How long the slowest of a hundred may take: a page, one in the order of a figure, and all pages together.
const PAGE: Duration = Duration::from_millis(15);
const SORTED: Duration = Duration::from_millis(25);
const WALK: Duration = Duration::from_millis(150);

/// The query of a page, and nothing around it.
pub(super) struct Floor {
    client: Client,
    newest: Statement,
    sorted: Statement,
}

impl Floor {
    pub(super) async fn of(world: &World) -> Result<Self> {
        let client = shared::clients::postgres::connect_once(&world.api, None).await.map_err(|error| error.chain())?;
        let select = format!(
            "SELECT {COLUMNS}, agents, agents_online, contacts, storage_bytes, month, messages_measured, measured_at, error
             FROM organizations JOIN tenant_usage ON organization_id = id"
        );
        let newest = client.prepare(&format!("{select} ORDER BY created_at DESC, id DESC LIMIT $1")).await?;
        let sorted = "WHERE messages_rank IS NOT NULL ORDER BY messages_rank DESC, organization_id DESC LIMIT $1";
        let sorted = client.prepare(&format!("{select} {sorted}")).await?;
        Ok(Self { client, newest, sorted })
    }

    /// How long the newest take.
    pub(super) async fn newest(&self) -> Result<Duration> {
        self.run(&self.newest).await
    }

    /// How long those with most messages take.
    pub(super) async fn sorted(&self) -> Result<Duration> {
        self.run(&self.sorted).await
    }

    async fn run(&self, statement: &Statement) -> Result<Duration> {
        let begun = Instant::now();
        let rows = self.client.query(statement, &[&LIMIT]).await?;
        let took = begun.elapsed();
        // Not all have a figure to be sorted by.
        if rows.len() * 2 < usize::try_from(LIMIT)? { Err("the floor has hardly any rows".into()) } else { Ok(took) }
    }
}

/// The event of a page.
pub(super) fn page_of(world: &World, query: &str) -> String {
    event(&world.token, "GET", "/tenants/usage", query, None)
}

/// The tenants of a page, which has to have the live counters.
pub(super) fn tenants(answer: &Answer) -> Result<usize> {
    let tenants: Vec<Value> = serde_json::from_str(&body(answer, 200)?)?;
    if tenants.iter().any(|tenant| tenant["usage"]["month"].is_null()) {
        return Err("a tenant without usage".into());
    }
    match header(answer, "x-live-counters")?.as_str() {
        "available" => Ok(tenants.len()),
        other => Err(format!("the live counters are `{other}`").into()),
    }
}

/// The queries and ours, in turn.
pub(crate) async fn measure(world: &World, report: &mut Report) -> Result<()> {
    heading(&format!("GET {LIMIT} tenants with usage out of {}, warm", world.tenants));
    let floor = Floor::of(world).await?;
    let ours = Function::start(&world.program("list-tenant-usage"), 1).await?;
    let (mut sql, mut sorted_sql) = (Samples::default(), Samples::default());
    let (mut newest, mut sorted) = (Samples::default(), Samples::default());
    let mut bytes = 0;
    for (round, sort) in SORTS.iter().cycle().take(WARM_UP + ROUNDS).enumerate() {
        let (queried, queried_sorted) = (floor.newest().await?, floor.sorted().await?);
        let page = ours.invoke(page_of(world, &format!("limit={LIMIT}"))).await?;
        let sorted_page = ours.invoke(page_of(world, &format!("limit={LIMIT}&sort={sort}"))).await?;
        for page in [&page, &sorted_page] {
            let found = tenants(page)?;
            if i64::try_from(found)? != LIMIT {
                return Err(format!("a page of {LIMIT} has {found} tenants").into());
            }
        }
        bytes = page.body.len();
        if round >= WARM_UP {
            sql.push(queried);
            sorted_sql.push(queried_sorted);
            newest.push(page.took);
            sorted.push(sorted_page.took);
        }
    }
    let walks = walk(world, &ours).await?;
    head();
    row("the query, newest first", &sql);
    row("the query, most messages first", &sorted_sql);
    row("list-tenant-usage, newest first", &newest);
    row("list-tenant-usage, by a figure", &sorted);
    row("list-tenant-usage, through all", &walks);
    println!("a page has {} KiB", bytes / 1024);
    report.times("usage, 1,000 of 10,000, p50", sql.p50(), newest.p50(), TIMES);
    report.at_most("usage, 1,000 of 10,000, p99", Some(sql.p99()), newest.p99(), PAGE);
    report.times("usage by a figure, p50", sorted_sql.p50(), sorted.p50(), TIMES);
    report.at_most("usage by a figure, p99", Some(sorted_sql.p99()), sorted.p99(), SORTED);
    report.at_most("usage, through all 10,000, p99", None, walks.p99(), WALK);
    Ok(())
}

/// How long all pages of a list take together, one after another.
async fn walk(world: &World, ours: &Function) -> Result<Samples> {
    let mut walks = Samples::default();
    for _ in 0..WALKS {
        let (mut took, mut seen, mut query) = (Duration::ZERO, 0, format!("limit={LIMIT}"));
        loop {
            let page = ours.invoke(page_of(world, &query)).await?;
            took += page.took;
            seen += tenants(&page)?;
            let link = header(&page, "link")?;
            let Some((_, rest)) = link.split_once('?') else { break };
            rest.split('>').next().unwrap_or_default().clone_into(&mut query);
        }
        if seen < world.tenants {
            return Err(format!("a walk met {seen} of {} tenants", world.tenants).into());
        }
        walks.push(took);
    }
    Ok(walks)
}
