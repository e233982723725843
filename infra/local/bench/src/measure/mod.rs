//! Building blocks of every benchmark.

pub(crate) mod binary;
pub(crate) mod functions;
pub(crate) mod machine;
pub(crate) mod queue_mapping;
pub(crate) mod request;
pub(crate) mod runtime;
pub(crate) mod samples;
pub(crate) mod socket;
