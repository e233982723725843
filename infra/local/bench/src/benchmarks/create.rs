//! POST of a tenant: its duration beyond the hashing of the password.

use std::time::{Duration, Instant};

use shared::passwords;

use crate::{
    benchmarks::table::{head, heading, row},
    error::Result,
    measure::{
        request::{body, event},
        runtime::Function,
        samples::{Samples, ms},
    },
    platform::{instance::BenchPlatform, provisioning::tenant_request},
    report::BenchReport,
};

const ROUNDS: usize = 150;
const WARM_UP: usize = 10;
/// p99 beyond the hash.
const GOAL: Duration = Duration::from_millis(30);

pub(crate) async fn measure(platform: &BenchPlatform, report: &mut BenchReport) -> Result<()> {
    heading("POST of a tenant");
    let function = Function::start(&platform.program("create-tenant"), 1).await?;
    let (mut hashed, mut created) = (Samples::default(), Samples::default());
    for round in 0..WARM_UP + ROUNDS {
        let begun = Instant::now();
        passwords::hash("tidal-mango-orbit-42").await.map_err(|error| error.chain())?;
        let hash = begun.elapsed();
        let request = tenant_request(&format!("post-{round}"));
        let result = function.invoke(event(&platform.token, "POST", "/tenants", "", Some(&request))).await?;
        body(&result, 201)?;
        if round >= WARM_UP {
            hashed.push(hash);
            created.push(result.took);
        }
    }
    // No worker runs here: the messages would delay the benchmarks that start workers.
    platform.stores.sqs.purge_queue().queue_url(&platform.provision_queue_url).send().await?;
    head();
    row("password hash (Argon2id)", &hashed);
    row("create-tenant", &created);
    let beyond = |whole: Duration| whole.saturating_sub(hashed.p50());
    report.at_most("POST beyond the hash, p99", Some(hashed.p50()), beyond(created.p99()), GOAL);
    report.without_goal("POST beyond the hash, p50", &ms(hashed.p50()), &ms(beyond(created.p50())));
    Ok(())
}
