//! GET of 1,000 of 10,000 tenants with usage, warm: the newest first, sorted by a figure, and every page in turn.

use std::time::Duration;

use crate::{
    benchmarks::{
        table::{head, heading, row},
        usage_page::{LIMIT, UsageQueryFloor, check_full, count_tenants, page_event},
    },
    error::Result,
    measure::{request::header, runtime::Function, samples::Samples},
    platform::instance::BenchPlatform,
    report::BenchReport,
};

const ROUNDS: usize = 400;
const WARM_UP: usize = 30;
const WALKS: usize = 60;
/// Every sort order except the default.
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
/// p50 of a page, as a multiple of the query.
const P50_GOAL: f64 = 2.5;
/// p99 of a page, of a sorted page, and of all pages together.
const PAGE_GOAL: Duration = Duration::from_millis(15);
const SORTED_GOAL: Duration = Duration::from_millis(25);
const WALK_GOAL: Duration = Duration::from_millis(150);

pub(crate) async fn measure(platform: &BenchPlatform, report: &mut BenchReport) -> Result<()> {
    heading(&format!("GET of {LIMIT} of {} tenants with usage, warm", platform.tenants));
    let floor = UsageQueryFloor::of(platform).await?;
    let function = Function::start(&platform.program("list-tenant-usage"), 1).await?;
    let (mut newest_query, mut sorted_query) = (Samples::default(), Samples::default());
    let (mut newest, mut sorted) = (Samples::default(), Samples::default());
    let mut bytes = 0;
    for (round, sort) in SORTS.iter().cycle().take(WARM_UP + ROUNDS).enumerate() {
        let (newest_took, sorted_took) = (floor.newest().await?, floor.sorted().await?);
        let page = function.invoke(page_event(platform, &format!("limit={LIMIT}"))).await?;
        let sorted_page = function.invoke(page_event(platform, &format!("limit={LIMIT}&sort={sort}"))).await?;
        check_full(&page)?;
        check_full(&sorted_page)?;
        bytes = page.body.len();
        if round >= WARM_UP {
            newest_query.push(newest_took);
            sorted_query.push(sorted_took);
            newest.push(page.took);
            sorted.push(sorted_page.took);
        }
    }
    let walks = walk(platform, &function).await?;
    head();
    row("the query, newest first", &newest_query);
    row("the query, most messages first", &sorted_query);
    row("list-tenant-usage, newest first", &newest);
    row("list-tenant-usage, sorted", &sorted);
    row("list-tenant-usage, all pages", &walks);
    println!("size of a page: {} KiB", bytes / 1024);
    report.at_most_times("usage, 1,000 of 10,000, p50", newest_query.p50(), newest.p50(), P50_GOAL);
    report.at_most("usage, 1,000 of 10,000, p99", Some(newest_query.p99()), newest.p99(), PAGE_GOAL);
    report.at_most_times("usage, sorted, p50", sorted_query.p50(), sorted.p50(), P50_GOAL);
    report.at_most("usage, sorted, p99", Some(sorted_query.p99()), sorted.p99(), SORTED_GOAL);
    report.at_most("usage, all pages of 10,000, p99", None, walks.p99(), WALK_GOAL);
    Ok(())
}

/// Total durations of all pages of a list, requested one after another.
async fn walk(platform: &BenchPlatform, function: &Function) -> Result<Samples> {
    let mut walks = Samples::default();
    for _ in 0..WALKS {
        let (mut took, mut count, mut query) = (Duration::ZERO, 0, format!("limit={LIMIT}"));
        loop {
            let page = function.invoke(page_event(platform, &query)).await?;
            took += page.took;
            count += count_tenants(&page)?;
            let link = header(&page, "link")?;
            let Some((_, rest)) = link.split_once('?') else { break };
            rest.split('>').next().unwrap_or_default().clone_into(&mut query);
        }
        if count < platform.tenants {
            return Err(format!("all pages contain {count} of {} tenants", platform.tenants).into());
        }
        walks.push(took);
    }
    Ok(walks)
}
