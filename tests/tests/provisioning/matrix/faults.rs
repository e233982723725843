//! The faults of the matrix.

use super::points::Point;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Fault {
    /// An error that may pass.
    TransientError,
    /// The error of a store that is down.
    UnavailableStore,
    /// An error that does not pass.
    PermanentError,
    /// The worker's process gets `SIGKILL` at a boundary.
    Killed,
    /// The worker's process gets `SIGSTOP` at a boundary, and `SIGCONT` after others have ended the operation.
    AwokenLate,
    /// The lease expires in mid-step, and another worker takes the operation while this one goes on.
    LeaseLost,
    /// The journal forgets what was done: everything is applied, or undone, twice.
    Repeated,
    /// Another worker gets the same message at a boundary.
    MessageDoubled,
    /// The worker dies together with its message. The relay sends another.
    MessageLost,
    /// The connection breaks before the server receives a request.
    RequestLost,
    /// The connection breaks, and the server goes on with the request, as the same worker goes on with the operation.
    AnswerLost,
    /// `SIGKILL` before the server receives a request.
    KilledBefore,
    /// `SIGKILL` after the server has executed a request.
    KilledAfter,
    /// `SIGSTOP` while a request is on its way. It arrives after others have ended the operation; then the process awakes.
    RequestLate,
    /// `SIGSTOP` while an answer is on its way, as above.
    AnswerLate,
    /// The store is down from a request on, until the worker gives up.
    StoreDown,
    /// The store hangs from a request on, until the worker's time is over.
    StoreHangs,
    /// From a request on, the connection loses what the worker sends.
    RequestsVanish,
    /// From a request on, the connection loses what the store sends.
    AnswersVanish,
    /// A request is late.
    Delayed,
    /// A request arrives in pieces.
    Fragmented,
}

impl Fault {
    const AT_BOUNDARIES: [Self; 9] = [
        Self::TransientError,
        Self::UnavailableStore,
        Self::PermanentError,
        Self::Killed,
        Self::AwokenLate,
        Self::LeaseLost,
        Self::Repeated,
        Self::MessageDoubled,
        Self::MessageLost,
    ];

    const AT_REQUESTS: [Self; 12] = [
        Self::RequestLost,
        Self::AnswerLost,
        Self::KilledBefore,
        Self::KilledAfter,
        Self::RequestLate,
        Self::AnswerLate,
        Self::StoreDown,
        Self::StoreHangs,
        Self::RequestsVanish,
        Self::AnswersVanish,
        Self::Delayed,
        Self::Fragmented,
    ];

    /// The faults that can happen at a point.
    pub(super) fn at(point: &Point) -> &'static [Self] {
        match point {
            Point::Boundary(_) => &Self::AT_BOUNDARIES,
            Point::Request { .. } => &Self::AT_REQUESTS,
        }
    }

    /// Whether the tenant is provisioned again during the fault, if it has failed by then.
    pub(super) fn retries(self) -> bool {
        matches!(self, Self::AwokenLate | Self::RequestLate | Self::AnswerLate)
    }
}
