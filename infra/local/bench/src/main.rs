//! Measures the release builds of the functions, behind a Runtime API of the benchmark's own, on real servers. The floor of a
//! figure is measured in the same run, alternating with the function.
//!
//! # Layers
//!
//! A module may use only the layers that its row names, and other modules of its own layer. No modules form a circle. The test
//! in `layers` reads this table and the sources.
//!
//! | layer | contents | may use |
//! | --- | --- | --- |
//! | `error` | the result type | |
//! | `options` | the command line | |
//! | `measure` | samples, processes, sockets, requests, the functions of the workspace | `error` |
//! | `report` | figures, floors and goals | `measure` |
//! | `platform` | a platform of the benchmark's own, its tenants, and its removal | `error`, `measure`, `options` |
//! | `benchmarks` | one module per benchmark | `error`, `measure`, `platform`, `report` |
//! | `main` | the run | `benchmarks`, `error`, `measure`, `options`, `platform`, `report` |

mod benchmarks;
mod error;
#[cfg(test)]
mod layers;
mod measure;
mod options;
mod platform;
mod report;

use std::{process::ExitCode, time::Instant};

use clap::{Parser, ValueEnum};
use shared::error::chain;

use crate::{
    error::Result,
    measure::{functions::Workspace, machine},
    options::{BenchOptions, Benchmark},
    platform::instance::{BenchPlatform, TENANTS},
    report::BenchReport,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(BenchOptions::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: BenchOptions) -> Result<ExitCode> {
    let begun = Instant::now();
    println!("{}", machine::description());
    let mut report = BenchReport::default();
    let selected = |benchmark: &Benchmark| options.only.is_empty() || options.only.contains(benchmark);
    if selected(&Benchmark::Artifacts) {
        benchmarks::artifacts::measure(&Workspace::read()?, &options.target, &mut report)?;
    }
    if options.only != [Benchmark::Artifacts] {
        let platform = BenchPlatform::create(&options, TENANTS).await?;
        let measured = measure_on(&platform, selected, &mut report).await;
        platform.remove().await?;
        measured?;
    }
    println!("\n== Summary ({} s, load at the end {})\n{report}", begun.elapsed().as_secs(), machine::load());
    Ok(if options.strict && report.has_misses() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn measure_on(
    platform: &BenchPlatform,
    selected: impl Fn(&Benchmark) -> bool,
    report: &mut BenchReport,
) -> Result<()> {
    for benchmark in Benchmark::value_variants().iter().filter(|benchmark| selected(benchmark)) {
        match benchmark {
            // Measured before, without a platform.
            Benchmark::Artifacts => {}
            Benchmark::Start => benchmarks::start::measure(platform, report).await?,
            Benchmark::Cold => benchmarks::cold::measure(platform, report).await?,
            Benchmark::Get => benchmarks::get::measure(platform, report).await?,
            Benchmark::List => benchmarks::list::measure(platform, report).await?,
            Benchmark::Usage => benchmarks::usage::measure(platform, report).await?,
            Benchmark::Create => benchmarks::create::measure(platform, report).await?,
            Benchmark::Growth => benchmarks::growth::measure(platform, report).await?,
            Benchmark::Users => benchmarks::users::measure(platform, report).await?,
            Benchmark::Health => benchmarks::health::measure(platform, report).await?,
            Benchmark::Active => benchmarks::active::measure(platform, report).await?,
            Benchmark::Impersonation => benchmarks::impersonation::measure(platform, report).await?,
            Benchmark::Export => benchmarks::export::measure(platform, report).await?,
            Benchmark::Purge => benchmarks::purge::measure(platform, report).await?,
            Benchmark::Measuring => benchmarks::measure_usage::measure(platform, report).await?,
        }
    }
    Ok(())
}
