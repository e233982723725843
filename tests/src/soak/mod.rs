//! A soak: tenants are created, changed, suspended and impersonated at a steady rate, while processes are killed or frozen and
//! connections are cut. Then everything is healed, and what the platform shows must be what it has accepted.
//!
//! It runs on the local stack with its real functions, queues and schedules. A seed decides every action, and the times and kinds of the
//! faults. A repetition differs in how they interleave, and in which functions have processes that can be disturbed.

mod caller;
mod coverage;
mod faults;
mod model;
mod parts;
mod settings;
mod tally;
mod tenant;
mod verdict;

use std::sync::Arc;

use tokio::{
    task::{JoinError, JoinHandle},
    time::{Instant, sleep_until},
};

pub use coverage::{CALLED, LEFT_OUT};
pub use settings::Settings;

use caller::Caller;
use faults::Faults;
use model::TenantModel;
use tally::Tally;

/// Runs a soak and prints its size and its result. Returns whether nothing contradicts.
pub async fn run(settings: Settings) -> bool {
    println!("{settings:?}");
    let begun = Instant::now();
    let end = begun + settings.length();
    let tally = Arc::new(Tally::new(begun));
    let caller = Arc::new(Caller::new(Arc::clone(&tally)));
    let faults = Faults::new(&settings, Arc::clone(&tally));
    let disturbing = tokio::spawn(faults.disturb_until(end));
    let lives = begin_lives(&settings, &caller, end).await;
    let mut wrong = Vec::new();
    if let Err(failure) = disturbing.await {
        wrong.push(format!("the faults ended: {}", reason(failure)));
    }
    // Whatever happened before: a stack that stays broken would be of no use.
    parts::heal().await;
    let healed = Instant::now();
    tally.log("everything is healed");
    let mut models = Vec::new();
    for life in lives {
        match life.await {
            Ok(model) => models.push(model),
            Err(failure) => wrong.push(format!("the life of a tenant ended: {}", reason(failure))),
        }
    }
    let stuck = verdict::wait_until_finished(healed + settings.patience()).await;
    if stuck.is_empty() {
        tally.log(&format!("nothing is left to do {:.1} s after that", healed.elapsed().as_secs_f64()));
    }
    wrong.extend(stuck);
    wrong.extend(verdict::contradictions(&caller, &models).await);
    if settings.is_long() {
        let missing = CALLED.iter().filter(|(method, route)| !tally.has_called(method, route));
        wrong.extend(missing.map(|(method, route)| format!("no request was {method} {route}")));
    }
    println!("{tally}");
    println!("tenants: {}, users: {}", models.len(), models.iter().map(|model| model.users.len()).sum::<usize>());
    println!("seed {}: {} contradictions", settings.seed, wrong.len());
    for line in &wrong {
        println!("  {line}");
    }
    wrong.is_empty()
}

/// Has a tenant begin its life at each interval.
async fn begin_lives(settings: &Settings, caller: &Arc<Caller>, end: Instant) -> Vec<JoinHandle<TenantModel>> {
    let begun = Instant::now();
    let mut lives = Vec::new();
    for index in 0_u32.. {
        let start = begun + settings.interval() * index;
        if start >= end || settings.tenants.is_some_and(|most| index >= most) {
            break;
        }
        sleep_until(start).await;
        let (caller, settings) = (Arc::clone(caller), settings.clone());
        lives.push(tokio::spawn(async move { tenant::live(&caller, &settings, index, end).await }));
    }
    lives
}

/// What a task that panicked says.
fn reason(failure: JoinError) -> String {
    let panic = failure.into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
