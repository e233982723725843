//! The fault matrix: every kind of operation, disturbed at every point by every fault.
//!
//! The kinds and their steps are those of the code ([`courses`]), and the points are recorded from undisturbed runs ([`points`]), so that
//! a new kind, step or request cannot escape. After each cell, everything about the tenant in every store must be as after an undisturbed
//! run with the same end ([`check`]).
//!
//! A run takes a sample: each fault in each course at a random point, and cells that have once failed. `FAULT_MATRIX=all` runs all cells,
//! and `FAULT_MATRIX=2/5` the second of five parts. `FAULT_MATRIX_SEED` repeats a sample. `FAULT_MATRIX_ONLY` selects the cells whose name
//! contains a text.

mod check;
mod courses;
mod disturb;
mod faults;
mod points;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    thread,
    time::Duration,
};

use futures::{FutureExt, StreamExt, stream};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use shared::{
    operations::{OperationKind, OperationStatus},
    provisioning::Moment,
    tenants::TenantStatus,
};
use tests::optional_variable;
use tokio::time::{Instant, timeout};

use self::{
    courses::{Course, Fixtures},
    disturb::{Cell, Disturbed},
    faults::Fault,
    points::{Recorded, Script},
};

/// Texts in the names of cells that have once failed. They belong to every sample.
const ONCE_FAILED: [[&str; 2]; 1] = [["export: RequestLate", "users.copy.gz"]];

/// Cells that run at once. Most of them wait; with more, they would delay the other tests of this binary.
const CONCURRENCY: usize = 5;

/// Cells whose tenants exist at once. The local clusters have room for 1,250 tenants, and MongoDB slows down with their number.
const CELLS_PER_WORLD: usize = 200;

const CELL_TIMEOUT: Duration = Duration::from_mins(4);

/// How a course may end: rolled back or not, and whether the tenant is provisioned again afterwards.
type Ends = HashMap<(Course, bool), String>;

/// What a cell did.
enum Verdict {
    Passed,
    /// The point was not reached: the number of connections depends on time. The operation was checked nevertheless.
    NotReached,
    Failed(String),
}

/// The futures of workers are large, in particular without optimization.
const STACK_SIZE: usize = 16 << 20;

#[test]
fn after_any_fault_at_any_point_of_any_operation_nothing_is_lost_and_nothing_left_behind() {
    let run = || {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(4).thread_stack_size(STACK_SIZE).enable_all().build().unwrap();
        runtime.block_on(run_matrix());
    };
    thread::Builder::new().stack_size(STACK_SIZE).spawn(run).unwrap().join().unwrap();
}

async fn run_matrix() {
    let begun = Instant::now();
    let mut fixtures = Arc::new(Fixtures::new().await);
    let (cells, ends) = record(&fixtures).await;
    let total = cells.len();
    println!("recorded {total} cells in {:?}", begun.elapsed());
    let cells = chosen(cells);
    assert!(!cells.is_empty(), "no cell is chosen");
    println!("running {} of {total} cells", cells.len());
    let ends = Arc::new(ends);
    let mut report = Report::default();
    for cells in cells.chunks(CELLS_PER_WORLD) {
        // While these cells run, the world of those before is removed.
        fixtures = Arc::new(Fixtures::new().await);
        let running = cells.iter().map(|cell| run_cell(cell.clone(), Arc::clone(&fixtures), Arc::clone(&ends)));
        let mut verdicts = stream::iter(running).buffer_unordered(CONCURRENCY);
        while let Some((cell, verdict, time)) = verdicts.next().await {
            report.add(&cell, verdict, time);
        }
        println!("{} cells in {:.0?}, {} failed", report.cells, begun.elapsed(), report.failed.len());
    }
    report.print(begun.elapsed());
    assert!(report.failed.is_empty(), "{} cells failed:\n{}", report.failed.len(), report.failed.join("\n"));
    assert!(report.not_reached * 10 <= report.cells, "{} of {} were not reached", report.not_reached, report.cells);
}

/// All cells, and what undisturbed runs leave.
async fn record(fixtures: &Fixtures) -> (Vec<Cell>, Ends) {
    let (mut cells, mut ends) = (Vec::new(), Ends::new());
    for course in Course::all() {
        let fails_at = points::fails_at(fixtures, course).await;
        let Recorded { points, repeatable } = points::record(fixtures, course, fails_at).await;
        ends.extend(undisturbed(fixtures, course, fails_at).await);
        let crossed = points.iter().flat_map(|point| {
            let faults = Fault::at(point).iter();
            faults.map(|fault| Cell {
                course,
                fails_at,
                point: point.clone(),
                fault: *fault,
                repeatable: repeatable.clone(),
            })
        });
        cells.extend(crossed);
    }
    (cells, ends)
}

/// Judges a cell on a task of its own, so that cells run in parallel and a panic fails one of them.
async fn run_cell(cell: Cell, fixtures: Arc<Fixtures>, ends: Arc<Ends>) -> (Cell, Verdict, Duration) {
    let begun = Instant::now();
    let running = cell.clone();
    let run = async move { judge(&running, &fixtures, &ends).await };
    let run = timeout(CELL_TIMEOUT, AssertUnwindSafe(run).catch_unwind());
    let verdict = match tokio::spawn(run).await.unwrap() {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(panic)) => Verdict::Failed(format!("panicked: {}", message(&*panic))),
        Err(_elapsed) => Verdict::Failed(format!("not within {CELL_TIMEOUT:?}")),
    };
    (cell, verdict, begun.elapsed())
}

/// Runs a cell, and compares what it leaves with what an undisturbed run leaves.
async fn judge(cell: &Cell, fixtures: &Fixtures, ends: &Ends) -> Verdict {
    let disturbed = Disturbed::new(cell, fixtures).await;
    let (reached, status) = disturbed.run().await;
    let stage = disturbed.stage;
    // A permanent error rolls back, unless it happens outside the steps, or the operation is never given up.
    let may_fail = cell.fault == Fault::PermanentError && cell.course.kind().budget().is_some();
    if status != cell.course.end() && !(may_fail && status == OperationStatus::Failed) {
        let reason = stage.reason(disturbed.requested.operation).await;
        return Verdict::Failed(format!("ended {status:?}: {reason:?}"));
    }
    let course = cell.course.with(status == OperationStatus::Failed);
    let retried = reached && cell.fault.retries();
    let found = check::describe(stage, disturbed.requested.tenant).await;
    let wanted = &ends[&(course, retried)];
    if found != *wanted {
        return Verdict::Failed(difference(wanted, &found));
    }
    if reached { Verdict::Passed } else { Verdict::NotReached }
}

/// What undisturbed runs of a course leave, without and with another provisioning of the tenant if it failed.
async fn undisturbed(fixtures: &Fixtures, course: Course, fails_at: Option<Moment>) -> Ends {
    let stage = &fixtures.stage;
    let requested = fixtures.request(course.kind()).await;
    let script = Script::new(None).failing_at(fails_at, || {});
    assert_eq!(stage.finish_with(&stage.watched(script), requested).await, course.end(), "{}", course.name());
    let once = check::describe(stage, requested.tenant).await;
    if course.kind() != OperationKind::Restore && stage.status(requested.tenant).await == TenantStatus::Failed {
        stage.assert_retry_works(requested.tenant).await;
    }
    let retried = check::describe(stage, requested.tenant).await;
    println!("{} leaves:\n{once}", course.name());
    Ends::from([((course, false), once), ((course, true), retried)])
}

/// The cells that this run tries.
fn chosen(mut cells: Vec<Cell>) -> Vec<Cell> {
    if let Some(text) = optional_variable("FAULT_MATRIX_ONLY") {
        cells.retain(|cell| name(cell).contains(&text));
        return cells;
    }
    let seed = optional_variable("FAULT_MATRIX_SEED").map_or_else(rand::random, |seed| seed.parse().unwrap());
    let wanted = optional_variable("FAULT_MATRIX");
    if let Some(part) = wanted.filter(|wanted| wanted != "all") {
        let (part, parts) = part.split_once('/').expect("FAULT_MATRIX is `all`, or a part such as `2/5`");
        let (part, parts): (usize, usize) = (part.parse().unwrap(), parts.parse().unwrap());
        return cells.into_iter().skip(part - 1).step_by(parts).collect();
    }
    if optional_variable("FAULT_MATRIX").is_some() {
        return cells;
    }
    println!("FAULT_MATRIX_SEED={seed}");
    cells.shuffle(&mut StdRng::seed_from_u64(seed));
    let mut pairs = HashSet::new();
    cells.retain(|cell| {
        let has_failed = ONCE_FAILED.iter().any(|texts| texts.iter().all(|text| name(cell).contains(text)));
        pairs.insert((cell.course, cell.fault)) || has_failed
    });
    cells
}

fn name(cell: &Cell) -> String {
    format!("{}: {:?} at {:?}", cell.course.name(), cell.fault, cell.point)
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// The lines that differ.
fn difference(wanted: &str, found: &str) -> String {
    let lines = |one: &str, other: &str, sign: &str| {
        let differs = one.lines().filter(|line| !other.lines().any(|same| same == *line));
        differs.map(|line| format!("    {sign} {line}")).collect::<Vec<_>>()
    };
    let text = [lines(wanted, found, "-"), lines(found, wanted, "+")].concat().join("\n");
    if text.is_empty() { format!("another order or number of lines:\n{wanted}\n{found}") } else { format!("\n{text}") }
}

#[derive(Default)]
struct Report {
    cells: usize,
    not_reached: usize,
    failed: Vec<String>,
    /// Cells and their time, by course and fault.
    groups: BTreeMap<(Course, Fault), (usize, Duration)>,
}

impl Report {
    fn add(&mut self, cell: &Cell, verdict: Verdict, time: Duration) {
        self.cells += 1;
        let group = self.groups.entry((cell.course, cell.fault)).or_default();
        *group = (group.0 + 1, group.1 + time);
        match verdict {
            Verdict::Passed => {}
            Verdict::NotReached => {
                println!("not reached: {}", name(cell));
                self.not_reached += 1;
            }
            Verdict::Failed(why) => {
                println!("FAILED {}: {why}", name(cell));
                self.failed.push(format!("{}: {why}", name(cell)));
            }
        }
    }

    fn print(&self, time: Duration) {
        for ((course, fault), (cells, time)) in &self.groups {
            let mean = *time / u32::try_from(*cells).unwrap();
            println!("{:28} {:18} {cells:5} cells, {mean:.1?} each", course.name(), format!("{fault:?}"));
        }
        let (failed, not_reached) = (self.failed.len(), self.not_reached);
        let passed = self.cells - failed - not_reached;
        println!("{} cells in {time:.0?}: {passed} passed, {not_reached} not reached, {failed} failed", self.cells);
    }
}
