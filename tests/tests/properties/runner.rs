//! Runs a state machine test of proptest: each case with a seed of its own, so that a case can be replayed alone.

use std::{
    any::Any,
    cell::RefCell,
    marker::PhantomData,
    ops::Range,
    rc::Rc,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use proptest::test_runner::{Config, RngSeed, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use tests::{World, is_set};
use tokio::runtime::{Builder, Runtime};

/// Runs of a case that failed, to find a shorter one.
const SHRINKS: u32 = 50;

const SHRINKING_TIME: Duration = Duration::from_mins(3);

type State<P> = <<P as Property>::Reference as ReferenceStateMachine>::State;
type Transition<P> = <<P as Property>::Reference as ReferenceStateMachine>::Transition;

/// A state machine test whose cases share servers. `Self` is one case.
pub(crate) trait Property: Sized {
    /// What the cases share. Each of them uses tenants of its own.
    type Stage: 'static;
    /// Generates the sequences, and contains what is expected.
    type Reference: ReferenceStateMachine;
    const NAME: &'static str;
    /// The number of cases, unless `PROPTEST_CASES` is set.
    const CASES: u32;
    /// The number of transitions of a case.
    const STEPS: Range<usize>;

    async fn stage(world: World) -> Self::Stage;

    async fn begin(stage: Rc<Self::Stage>, initial: &State<Self>) -> Self;

    /// Does what is expected to lead to `expected`.
    async fn step(&mut self, expected: &State<Self>, transition: &Transition<Self>);

    /// What holds after each step.
    async fn check(&self, _: &State<Self>) {}

    /// Lets everything recover, and requires that it converges.
    async fn end(self, expected: State<Self>);
}

/// A property for proptest, whose functions do not wait for futures.
struct Machine<P>(PhantomData<P>);

impl<P: Property> StateMachineTest for Machine<P> {
    type SystemUnderTest = P;
    type Reference = P::Reference;

    fn init_test(initial: &State<P>) -> P {
        block_on(P::begin(stage(), initial))
    }

    fn apply(mut case: P, expected: &State<P>, transition: Transition<P>) -> P {
        block_on(case.step(expected, &transition));
        case
    }

    fn check_invariants(case: &P, expected: &State<P>) {
        block_on(case.check(expected));
    }

    fn teardown(case: P, expected: State<P>) {
        block_on(case.end(expected));
    }
}

/// Fields are dropped in their order.
struct Bench {
    stage: Rc<dyn Any>,
    runtime: Runtime,
}

thread_local! {
    /// That of the test on this thread, because the functions of a state machine test have no parameter for it.
    static BENCH: RefCell<Option<Rc<Bench>>> = const { RefCell::new(None) };
}

/// Removes the bench when the test ends, also by a panic.
struct Use;

impl Drop for Use {
    fn drop(&mut self) {
        BENCH.take();
    }
}

fn bench() -> Rc<Bench> {
    BENCH.with_borrow(|bench| Rc::clone(bench.as_ref().expect("a test runs on this thread")))
}

/// The stage of the test on this thread.
fn stage<S: 'static>() -> Rc<S> {
    Rc::clone(&bench().stage).downcast().expect("the test has a stage of this type")
}

/// Waits for a future on the runtime of the test on this thread.
fn block_on<F: Future>(future: F) -> F::Output {
    bench().runtime.block_on(future)
}

/// Runs the cases of a property. A seed is printed before its case.
pub(crate) fn check<T: Property>() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let stage = Rc::new(runtime.block_on(async { T::stage(Box::pin(World::new()).await).await }));
    BENCH.set(Some(Rc::new(Bench { stage, runtime })));
    let _use = Use;
    // Reads `PROPTEST_CASES` and `PROPTEST_RNG_SEED`.
    let environment = Config::default();
    let cases = if is_set("PROPTEST_CASES") { environment.cases } else { T::CASES };
    let first = match environment.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => u64::from(rand::random::<u32>()),
    };
    let (begun, mut transitions) = (Instant::now(), 0);
    for case in 0..cases {
        let seed = first.wrapping_add(u64::from(case));
        println!("{}: case {case} has the seed {seed}", T::NAME);
        transitions += run::<T>(seed);
    }
    let took = begun.elapsed();
    println!(
        "{}: {cases} cases with {transitions} transitions in {took:.1?}, the first with the seed {first}",
        T::NAME
    );
}

/// Runs one case, and returns the number of its transitions.
fn run<T: Property>(seed: u64) -> usize {
    let config = Config {
        cases: 1,
        rng_seed: RngSeed::Fixed(seed),
        // The seed replays the case.
        failure_persistence: None,
        max_shrink_iters: SHRINKS,
        max_shrink_time: u32::try_from(SHRINKING_TIME.as_millis()).unwrap(),
        ..Config::default()
    };
    let strategy = T::Reference::sequential_strategy(T::STEPS);
    let transitions = RefCell::new(0);
    let result = TestRunner::new(config.clone()).run(&strategy, |(initial, steps, seen)| {
        Machine::<T>::test_sequential(config.clone(), initial, steps, seen.clone());
        *transitions.borrow_mut() += seen.map_or(0, |seen| seen.load(Ordering::SeqCst));
        Ok(())
    });
    if let Err(error) = result {
        let name = T::NAME;
        panic!(
            "{name}: {error}\nTo replay it, set PROPTEST_RNG_SEED={seed} and PROPTEST_CASES=1 for the test of {name}"
        );
    }
    transitions.into_inner()
}
