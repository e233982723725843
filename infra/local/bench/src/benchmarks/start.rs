//! From process start to the first request for work, and resident memory at that point, of every function.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use crate::{
    benchmarks::table::heading,
    error::Result,
    measure::{
        runtime::{Function, Program},
        samples::{Samples, ms},
    },
    platform::instance::BenchPlatform,
    report::BenchReport,
};

const ROUNDS: usize = 30;
/// p50 of a start, as a multiple of the floor.
const GOAL: f64 = 1.3;
/// The floor that links nothing but `lambda_http`.
const BARE: &str = "floor-bare";
/// A connection string of no server.
const NO_SERVER: &str = "postgres://nobody:none@127.0.0.1:9/none?sslmode=require";
/// The folder for copies of the binaries. Start times depend on how a file got into the page cache, by a sixth for the same
/// binary. So all binaries are copied, as Lambda unpacks what it starts.
const UNPACKED: &str = ".local/bench";

struct StartSamples {
    program: Program,
    took: Samples,
    resident_kib: u64,
}

/// Starts each function and each floor in turn, round by round. Functions that do not serve HTTP have no floor and no goal.
pub(crate) async fn measure(platform: &BenchPlatform, report: &mut BenchReport) -> Result<()> {
    heading("Start: exec to the first request for work, and resident memory at that point");
    let workspace = &platform.workspace;
    let pairs: Vec<_> = workspace
        .functions
        .iter()
        .map(|function| (function.name.as_str(), workspace.floor_of(function).map(|floor| floor.binary.as_str())))
        .collect();
    fs::create_dir_all(UNPACKED)?;
    let mut starts = BTreeMap::new();
    for name in pairs.iter().flat_map(|(function, floor)| [Some(*function), *floor]).flatten().chain([BARE]) {
        if !starts.contains_key(name) {
            let mut program = unpack(platform.program(name))?;
            // A function connects to the platform database when it starts, which `cold` measures. This address refuses at once.
            program.variables.push(("POSTGRES_URL", NO_SERVER.to_owned()));
            starts.insert(name, StartSamples { program, took: Samples::default(), resident_kib: 0 });
        }
    }
    // The first round reads the shared libraries into memory, so it does not count.
    for round in 0..=ROUNDS {
        for start in starts.values_mut() {
            let function = Function::start(&start.program, 1).await?;
            if round > 0 {
                function.start_times.iter().for_each(|took| start.took.push(*took));
                start.resident_kib = function.resident_kib.iter().copied().fold(start.resident_kib, u64::max);
            }
        }
    }
    fs::remove_dir_all(UNPACKED)?;
    let of = |name: &str| starts.get(name).ok_or_else(|| format!("{name} was not started"));
    println!(
        "{:<24} {:<24} {:>4} {:>10} {:>10} {:>8} {:>10} {:>10} {:>10}",
        "function", "floor", "n", "floor p50", "p50", "ratio", "p99", "floor mem", "mem"
    );
    for (name, floor) in pairs {
        let (function, floor) = (of(name)?, floor.map(of).transpose()?);
        print_row(name, function, floor);
        if let Some(floor) = floor {
            report.at_most_times(&format!("start of {name}, p50"), floor.took.p50(), function.took.p50(), GOAL);
        }
    }
    print_row(BARE, of(BARE)?, None);
    Ok(())
}

fn print_row(name: &str, function: &StartSamples, floor: Option<&StartSamples>) {
    let ratio = |floor: Duration| format!("{:.2} x", function.took.p50().as_secs_f64() / floor.as_secs_f64());
    println!(
        "{name:<24} {:<24} {:>4} {:>10} {:>10} {:>8} {:>10} {:>10} {:>10}",
        floor.map(|floor| floor.program.name.as_str()).unwrap_or_default(),
        function.took.len(),
        floor.map(|floor| ms(floor.took.p50())).unwrap_or_default(),
        ms(function.took.p50()),
        floor.map(|floor| ratio(floor.took.p50())).unwrap_or_default(),
        ms(function.took.p99()),
        floor.map(|floor| mib(floor.resident_kib)).unwrap_or_default(),
        mib(function.resident_kib)
    );
}

fn unpack(program: Program) -> Result<Program> {
    let path = Path::new(UNPACKED).join(&program.name);
    fs::copy(&program.path, &path).map_err(|error| format!("{} cannot be copied: {error}", program.path.display()))?;
    Ok(Program { path, ..program })
}

fn mib(kib: u64) -> String {
    format!("{}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024)
}
