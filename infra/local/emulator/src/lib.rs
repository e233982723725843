//! The parts that AWS plays around the functions, for a machine without AWS: what hands SQS's messages to a function
//! ([`event_source`], [`batch`]), what invokes one by the clock ([`schedule`]), and how either reaches it ([`invoke`]).
//!
//! They do what AWS documents and nothing else, so that a function that works here works there.
//!
//! Beside them, in a program of their own, the stand-ins of the platform's microservices ([`stand_in`]).

pub mod batch;
pub mod event_source;
pub mod invoke;
pub mod schedule;
pub mod stand_in;
