//! POST of a tenant: what it takes beyond the password's hash.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::passwords;

use super::{head, heading, row};
use crate::{
    Result,
    report::Report,
    request::{body, event},
    runtime::Function,
    samples::{Samples, ms},
    world::World,
};

const ROUNDS: usize = 150;
const WARM_UP: usize = 10;
/// How long the slowest of a hundred may take beyond the hash.
const GOAL: Duration = Duration::from_millis(30);

/// A tenant that nobody has asked for yet.
pub(super) fn tenant(slug: &str) -> Value {
    json!({
        "name": "Kopi Kenangan", "slug": slug, "country": "ID",
        "admin_email": "sari@kopikenangan.example", "admin_password": "tidal-mango-orbit-42",
    })
}

/// The hash and ours, in turn.
pub(crate) async fn measure(world: &World, report: &mut Report) -> Result<()> {
    heading("POST of a tenant");
    let ours = Function::start(&world.program("create-tenant"), 1).await?;
    let (mut hashed, mut created) = (Samples::default(), Samples::default());
    for round in 0..WARM_UP + ROUNDS {
        let begun = Instant::now();
        passwords::hash("tidal-mango-orbit-42").await.map_err(|error| error.chain())?;
        let hash = begun.elapsed();
        let answer =
            ours.invoke(event(&world.token, "POST", "/tenants", "", Some(&tenant(&format!("post-{round}"))))).await?;
        body(&answer, 201)?;
        if round >= WARM_UP {
            hashed.push(hash);
            created.push(answer.took);
        }
    }
    // Nobody works on them.
    world.sqs.purge_queue().queue_url(&world.queue_url).send().await?;
    head();
    row("the hash (Argon2id)", &hashed);
    row("create-tenant", &created);
    let beyond = |whole: Duration| whole.saturating_sub(hashed.p50());
    report.at_most("POST beyond the hash, p99", Some(hashed.p50()), beyond(created.p99()), GOAL);
    report.seen("POST beyond the hash, p50", &ms(hashed.p50()), &ms(beyond(created.p50())));
    Ok(())
}
