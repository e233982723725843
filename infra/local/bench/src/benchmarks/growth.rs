//! The same page of 1,000 tenants with usage on platforms of three sizes: its duration must not grow with the table.

use std::time::Duration;

use crate::{
    benchmarks::{
        table::{head, heading, row},
        usage_page::{LIMIT, UsageQueryFloor, check_full, page_event},
    },
    error::Result,
    measure::{
        runtime::Function,
        samples::{Samples, ms},
    },
    platform::instance::{BenchPlatform, TENANTS},
    report::BenchReport,
};

const ROUNDS: usize = 150;
const WARM_UP: usize = 15;
/// Tenants of the two other platforms.
const SMALL: usize = 1_000;
const LARGE: usize = 100_000;
/// p50 with 100,000 tenants, as a multiple of p50 with 10,000.
const GOAL: f64 = 1.5;

/// The measurements on a platform of one size.
struct SizeSamples<'a> {
    platform: &'a BenchPlatform,
    floor: UsageQueryFloor,
    function: Function,
    query: Samples,
    newest: Samples,
    sorted: Samples,
}

impl<'a> SizeSamples<'a> {
    async fn start(platform: &'a BenchPlatform) -> Result<Self> {
        let [query, newest, sorted] = [(); 3].map(|()| Samples::default());
        let floor = UsageQueryFloor::of(platform).await?;
        let function = Function::start(&platform.program("list-tenant-usage"), 1).await?;
        Ok(Self { platform, floor, function, query, newest, sorted })
    }

    async fn round(&mut self, counts: bool) -> Result<()> {
        let query = self.floor.newest().await?;
        let newest = self.page("").await?;
        let sorted = self.page("&sort=-messages_month").await?;
        if counts {
            self.query.push(query);
            self.newest.push(newest);
            self.sorted.push(sorted);
        }
        Ok(())
    }

    async fn page(&self, sort: &str) -> Result<Duration> {
        let page = self.function.invoke(page_event(self.platform, &format!("limit={LIMIT}{sort}"))).await?;
        check_full(&page)?;
        Ok(page.took)
    }
}

pub(crate) async fn measure(platform: &BenchPlatform, report: &mut BenchReport) -> Result<()> {
    heading(&format!("GET of {LIMIT} tenants with usage, by size of the platform"));
    let small = platform.another(SMALL).await?;
    let large = platform.another(LARGE).await;
    let measured = match &large {
        Ok(large) => compare([&small, platform, large], report).await,
        Err(error) => Err(error.to_string().into()),
    };
    small.remove().await?;
    if let Ok(large) = large {
        large.remove().await?;
    }
    measured
}

async fn compare(platforms: [&BenchPlatform; 3], report: &mut BenchReport) -> Result<()> {
    let mut sizes = Vec::new();
    for platform in platforms {
        sizes.push(SizeSamples::start(platform).await?);
    }
    for round in 0..WARM_UP + ROUNDS {
        for size in &mut sizes {
            size.round(round >= WARM_UP).await?;
        }
    }
    head();
    for SizeSamples { platform, query, newest, sorted, .. } in &sizes {
        row(&format!("{}: the query", platform.tenants), query);
        row(&format!("{}: newest first", platform.tenants), newest);
        row(&format!("{}: most messages first", platform.tenants), sorted);
    }
    for SizeSamples { platform, query, newest, .. } in &sizes {
        let figure = format!("usage, 1,000 of {}, p50", platform.tenants);
        report.without_goal(&figure, &ms(query.p50()), &ms(newest.p50()));
    }
    let of = |tenants| sizes.iter().find(|size| size.platform.tenants == tenants).ok_or("a size is missing");
    let (usual, large) = (of(TENANTS)?, of(LARGE)?);
    report.at_most_times("usage, 100,000 to 10,000, p50", usual.newest.p50(), large.newest.p50(), GOAL);
    report.at_most_times("usage, sorted, 100,000 to 10,000, p50", usual.sorted.p50(), large.sorted.p50(), GOAL);
    Ok(())
}
