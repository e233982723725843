//! A soak: tenants are created, changed, suspended and impersonated at a steady rate, while processes are killed or frozen and
//! connections are cut. Then everything is healed, and what the platform shows must be what it has accepted.
//!
//! It runs on the local stack with its real functions, queues and schedules. A seed decides every action and every fault; only their
//! interleaving differs when it is repeated.

mod caller;
mod coverage;
mod faults;
mod processes;
mod settings;
mod tally;
mod tenant;
mod verdict;

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};

pub use coverage::{CALLED, LEFT_OUT};
pub use settings::Settings;

use caller::Caller;
use faults::Faults;
use tally::Tally;
use tenant::TenantModel;

/// Runs a soak and prints its size and its result. Returns whether nothing contradicts.
pub async fn run(settings: Settings) -> bool {
    println!("{settings:?}");
    let begun = Instant::now();
    let end = begun + settings.length();
    let tally = Arc::new(Tally::new(begun));
    let caller = Arc::new(Caller::new(Arc::clone(&tally)));
    let faults = Faults::new(&settings, Arc::clone(&tally));
    let disturbing = tokio::spawn(faults.disturb_until(end));
    let models = work(&settings, &caller, end).await;
    if let Err(panic) = disturbing.await {
        std::panic::resume_unwind(panic.into_panic());
    }
    processes::heal().await;
    let healed = Instant::now();
    tally.log("everything is healed");
    let stuck = verdict::wait_until_finished(healed + settings.patience()).await;
    tally.log(&format!("nothing is left to do {:.1} s after that", healed.elapsed().as_secs_f64()));
    let mut wrong = stuck;
    wrong.extend(verdict::contradictions(&caller, &models).await);
    println!("{tally}");
    println!("tenants: {}, users: {}", models.len(), models.iter().map(|model| model.users.len()).sum::<usize>());
    println!("seed {}: {} contradictions", settings.seed, wrong.len());
    for line in &wrong {
        println!("  {line}");
    }
    wrong.is_empty()
}

/// Has a tenant begin its life at each interval, and returns what each must look like.
async fn work(settings: &Settings, caller: &Arc<Caller>, end: Instant) -> Vec<TenantModel> {
    let begun = Instant::now();
    let mut lives = Vec::new();
    for index in 0_u32.. {
        let start = begun + settings.interval() * index;
        if start >= end || settings.tenants.is_some_and(|most| index >= most) {
            break;
        }
        sleep_until(start).await;
        let (caller, seed, actions) = (Arc::clone(caller), settings.seed, settings.actions);
        lives.push(tokio::spawn(async move { tenant::live(&caller, seed, index, actions, end).await }));
    }
    sleep_until(end.min(Instant::now() + Duration::from_hours(24))).await;
    let mut models = Vec::new();
    for life in lives {
        match life.await {
            Ok(model) => models.push(model),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    // Requests of the last moment end before the faults do.
    sleep(Duration::from_millis(100)).await;
    models
}
