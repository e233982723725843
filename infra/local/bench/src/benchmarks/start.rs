//! From the start of a process to its first request for work, and what it has in memory then.

use std::{fs, path::Path};

use super::heading;
use crate::{
    Result,
    report::Report,
    runtime::{Function, Program},
    samples::{Samples, ms},
    world::World,
};

/// How often each is started.
const ROUNDS: usize = 30;
/// How many times its floor a start may take.
const GOAL: f64 = 1.3;

/// The functions behind the API, and the floor that links what they link.
const FUNCTIONS: [(&str, &str); 18] = [
    ("get-tenant", "floor-get-tenant"),
    ("list-tenants", "floor-get-tenant"),
    ("list-tenant-operations", "floor-get-tenant"),
    ("list-tenant-usage", "floor-list-tenant-usage"),
    ("login", "floor-login"),
    ("update-tenant", "floor-update-tenant"),
    ("retry-tenant", "floor-update-tenant"),
    ("create-tenant", "floor-create-tenant"),
    ("list-health-history", "floor-get-tenant"),
    ("check-health", "floor-check-health"),
    ("list-users", "floor-get-tenant"),
    ("create-user", "floor-create-tenant"),
    ("update-user", "floor-create-tenant"),
    ("list-impersonations", "floor-get-tenant"),
    ("get-impersonation", "floor-get-tenant"),
    ("list-signing-keys", "floor-get-tenant"),
    ("impersonate-user", "floor-update-tenant"),
    ("end-impersonation", "floor-update-tenant"),
];
/// Workers, which have no goal.
const OTHERS: [&str; 4] = ["floor-bare", "measure-usage", "provision-tenant", "relay-events"];

#[derive(Default)]
struct Starts {
    took: Samples,
    resident_kib: u64,
}

/// Where each is unpacked. How a file came to be in the page cache decides how long it takes to start what is in it: by a
/// sixth with one and the same binary. So all of them come there in the same way, as Lambda unpacks what it starts.
const UNPACKED: &str = ".local/bench";

/// Starts each in turn, round by round.
pub(crate) async fn measure(world: &World, report: &mut Report) -> Result<()> {
    heading("Start: exec to the first request for work, and resident memory then");
    let mut names: Vec<_> = FUNCTIONS.iter().flat_map(|(function, floor)| [*floor, *function]).chain(OTHERS).collect();
    names.sort_unstable();
    names.dedup();
    fs::create_dir_all(UNPACKED)?;
    let programs: Vec<_> = names.iter().map(|name| unpack(world.program(name))).collect::<Result<_>>()?;
    let mut starts: Vec<_> = names.iter().map(|name| (*name, Starts::default())).collect();
    // The first round brings the libraries into memory.
    for round in 0..=ROUNDS {
        for (program, (_, starts)) in programs.iter().zip(&mut starts) {
            let function = Function::start(program, 1).await?;
            if round > 0 {
                function.started.iter().for_each(|took| starts.took.push(*took));
                starts.resident_kib = function.resident.iter().copied().max().unwrap_or(0).max(starts.resident_kib);
            }
        }
    }
    fs::remove_dir_all(UNPACKED)?;
    let of = |name: &str| starts.iter().find(|(of, _)| *of == name).map(|(_, starts)| starts).ok_or("not started");
    println!(
        "{:<24} {:>4} {:>10} {:>10} {:>8} {:>10} {:>10} {:>10}",
        "function", "n", "floor p50", "ours p50", "ratio", "ours p99", "floor mem", "ours mem"
    );
    for (name, floor_name) in FUNCTIONS {
        let (ours, floor) = (of(name)?, of(floor_name)?);
        let (at, least) = (ours.took.p50(), floor.took.p50());
        let ratio = at.as_secs_f64() / least.as_secs_f64();
        println!(
            "{name:<24} {:>4} {:>10} {:>10} {ratio:>6.2} x {:>10} {:>10} {:>10}",
            ours.took.len(),
            ms(least),
            ms(at),
            ms(ours.took.p99()),
            mib(floor.resident_kib),
            mib(ours.resident_kib)
        );
        report.times(&format!("start of {name}, p50"), least, at, GOAL);
    }
    for name in OTHERS {
        let Starts { took, resident_kib } = of(name)?;
        println!(
            "{name:<24} {:>4} {:>10} {:>10} {:>8} {:>10} {:>10} {:>10}",
            took.len(),
            "",
            ms(took.p50()),
            "",
            ms(took.p99()),
            "",
            mib(*resident_kib)
        );
    }
    Ok(())
}

fn unpack(program: Program) -> Result<Program> {
    let path = Path::new(UNPACKED).join(&program.name);
    fs::copy(&program.path, &path).map_err(|error| format!("{} cannot be copied: {error}", program.path.display()))?;
    Ok(Program { path, ..program })
}

fn mib(kib: u64) -> String {
    format!("{}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024)
}
