//! Properties of sequences of requests, work and faults that proptest generates, on real servers. `tests/README.md` describes how to
//! run more of them, and how to replay one.

mod impersonations;
mod lists;
mod outbox;
mod runner;
mod stage;
mod tenants;
mod users;

use runner::check;

#[test]
fn a_tenant_is_complete_or_absent_whatever_happens_to_its_workers() {
    check::<tenants::TenantTest>();
}

#[test]
fn users_follow_the_rules_of_their_tenant_and_no_change_is_lost() {
    check::<users::UsersTest>();
}

#[test]
fn an_impersonation_is_live_exactly_when_a_service_accepts_its_token() {
    check::<impersonations::ImpersonationsTest>();
}

#[test]
fn every_event_is_on_the_topic_once_and_in_the_order_of_its_tenant() {
    check::<outbox::OutboxTest>();
}

#[test]
fn the_pages_of_a_list_are_together_what_sql_selects() {
    check::<lists::ListsTest>();
}
