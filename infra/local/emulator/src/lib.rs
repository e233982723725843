//! An emulator of the AWS services that trigger functions, for a machine without AWS: an SQS event source mapping
//! ([`event_source`], [`batch`]) and `EventBridge` schedules ([`schedule`]), both of which invoke functions over HTTP
//! ([`invoke`]).
//!
//! It implements what AWS documents and nothing else, so that a function that works here works there.
//!
//! A second program runs stand-ins of the platform's microservices ([`stand_in`]) and of its identity provider ([`identity_provider`]).

pub mod batch;
pub mod event_source;
pub mod identity_provider;
pub mod invoke;
pub mod schedule;
pub mod stand_in;
