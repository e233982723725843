//! Changes in tenants' databases whose process dies, freezes or loses a connection between the commits. Each is settled,
//! exactly once.

mod erasures;
mod faults;
mod impersonations;
mod kills;
mod markers;
mod stage;
mod writes;
