//! The same page of 1,000 tenants with usage, out of ever more of them: what it costs must not grow with the table.

use std::time::Duration;

use super::{
    head, heading, row,
    usage::{Floor, LIMIT, page_of, tenants},
};
use crate::{
    Result,
    report::Report,
    runtime::Function,
    samples::{Samples, ms},
    world::{TENANTS, World},
};

const ROUNDS: usize = 150;
const WARM_UP: usize = 15;
/// The other sizes.
const SMALL: usize = 1_000;
const LARGE: usize = 100_000;
/// How many times what it takes of 10,000 a page may take of 100,000.
const TIMES: f64 = 1.5;

/// A platform of one size.
struct Size<'a> {
    world: &'a World,
    floor: Floor,
    ours: Function,
    sql: Samples,
    newest: Samples,
    sorted: Samples,
}

impl<'a> Size<'a> {
    async fn of(world: &'a World) -> Result<Self> {
        let [sql, newest, sorted] = [(); 3].map(|()| Samples::default());
        let (floor, ours) = (Floor::of(world).await?, Function::start(&world.program("list-tenant-usage"), 1).await?);
        Ok(Self { world, floor, ours, sql, newest, sorted })
    }

    async fn round(&mut self, counts: bool) -> Result<()> {
        let queried = self.floor.newest().await?;
        let newest = self.page("").await?;
        let sorted = self.page("&sort=-messages_month").await?;
        if counts {
            self.sql.push(queried);
            self.newest.push(newest);
            self.sorted.push(sorted);
        }
        Ok(())
    }

    async fn page(&self, order: &str) -> Result<Duration> {
        let page = self.ours.invoke(page_of(self.world, &format!("limit={LIMIT}{order}"))).await?;
        let found = tenants(&page)?;
        if i64::try_from(found)? == LIMIT { Ok(page.took) } else { Err(format!("a page has {found} tenants").into()) }
    }
}

/// All sizes in turn.
pub(crate) async fn measure(world: &World, report: &mut Report) -> Result<()> {
    heading(&format!("GET {LIMIT} tenants with usage out of ever more"));
    let small = world.another(SMALL).await?;
    let large = world.another(LARGE).await;
    let measured = match &large {
        Ok(large) => compare([&small, world, large], report).await,
        Err(error) => Err(error.to_string().into()),
    };
    small.remove().await?;
    if let Ok(large) = large {
        large.remove().await?;
    }
    measured
}

async fn compare(worlds: [&World; 3], report: &mut Report) -> Result<()> {
    let mut sizes = Vec::new();
    for world in worlds {
        sizes.push(Size::of(world).await?);
    }
    for round in 0..WARM_UP + ROUNDS {
        for size in &mut sizes {
            size.round(round >= WARM_UP).await?;
        }
    }
    head();
    for Size { world, sql, newest, sorted, .. } in &sizes {
        row(&format!("{}: the query", world.tenants), sql);
        row(&format!("{}: newest first", world.tenants), newest);
        row(&format!("{}: most messages first", world.tenants), sorted);
    }
    for Size { world, sql, newest, .. } in &sizes {
        report.seen(&format!("usage, 1,000 of {}, p50", world.tenants), &ms(sql.p50()), &ms(newest.p50()));
    }
    let of = |tenants| sizes.iter().find(|size| size.world.tenants == tenants).ok_or("a size is missing");
    let (usual, large) = (of(TENANTS)?, of(LARGE)?);
    report.times("usage of 100,000 to 10,000, p50", usual.newest.p50(), large.newest.p50(), TIMES);
    report.times("the same by a figure, p50", usual.sorted.p50(), large.sorted.p50(), TIMES);
    Ok(())
}
