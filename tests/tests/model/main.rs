//! An exhaustive model of the lease, the journal and the sessions of workers: every order in which workers, the server and faults
//! can act, with a bounded number of faults. `lease.rs` contains the rules of the code, and names the functions that it mirrors.
//!
//! The model shows that the rules together leave no gap, which no test with real servers can. It does not show that the
//! code follows the rules: the fault tests of `provisioning` and the properties of `properties` do.

mod checks;
mod lease;

use std::{collections::BTreeSet, time::Instant};

use lease::{Lease, Rules};
use stateright::{Checker, HasDiscoveries, Model};

/// Faults in one behaviour: deaths, freezes, lost connections, permanent errors and abandonments together.
const FAULTS: u8 = 4;

/// Enough for each counterexample.
const FEW_FAULTS: u8 = 3;

fn check(rules: Rules, faults: u8, finish_when: HasDiscoveries) -> impl Checker<Lease> {
    let begun = Instant::now();
    let checker = Lease { rules, faults }.checker().threads(2).finish_when(finish_when).spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!(
        "{faults} faults: {states} different states, at most {depth} actions after the first, in {:.1?}, with {rules:?}",
        begun.elapsed()
    );
    checker
}

/// The model without one of its rules contains the fault that the rule prevents.
fn assert_needed(rules: Rules, property: &'static str) {
    let checker = check(rules, FEW_FAULTS, HasDiscoveries::AnyOf(BTreeSet::from([property])));
    let path = checker.discovery(property).unwrap_or_else(|| panic!("{rules:?} violates nothing"));
    println!("{property}, violated without the rule:");
    for action in path.into_actions() {
        println!("    {action:?}");
    }
}

#[test]
fn the_rules_of_lease_and_journal_leave_no_gap() {
    let checker = check(Rules::ALL, FAULTS, HasDiscoveries::AnyFailures);
    checker.assert_properties();
    assert!(checker.is_done());
    assert!(checker.unique_state_count() > 100_000, "the model has become smaller");
}

/// The window that the code had: `CREATE DATABASE` goes on after its connection was lost, and the same worker rolls back.
#[test]
fn a_rollback_with_the_token_of_the_lost_request_leaves_an_orphan() {
    assert_needed(Rules { rollback_takes_new_token: false, ..Rules::ALL }, lease::NO_ORPHAN);
}

#[test]
fn a_worker_that_takes_over_must_end_the_sessions_of_earlier_workers() {
    assert_needed(Rules { takeover_ends_sessions: false, ..Rules::ALL }, lease::NO_ORPHAN);
}

#[test]
fn a_worker_must_name_its_session_before_it_checks_its_lease() {
    assert_needed(Rules { session_is_named_before_check: false, ..Rules::ALL }, lease::NO_ORPHAN);
}

#[test]
fn every_write_to_the_journal_must_name_the_token() {
    assert_needed(Rules { journal_checks_token: false, ..Rules::ALL }, lease::NO_ORPHAN);
}

/// Each of the two conditions of the last transaction is enough, as the model with all other rules shows.
#[test]
fn an_activation_must_name_the_token_or_require_a_running_operation() {
    let without_both = Rules { journal_checks_token: false, success_requires_running: false, ..Rules::ALL };
    assert_needed(without_both, lease::COMPLETE_OR_ABSENT);
    let without_status = Rules { success_requires_running: false, ..Rules::ALL };
    check(without_status, FEW_FAULTS, HasDiscoveries::AnyFailures).assert_properties();
}
