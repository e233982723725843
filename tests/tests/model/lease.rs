//! The rules of one operation that creates one PostgreSQL database, as `shared::operations::store::journal`,
//! `shared::operations::store::manage`, `shared::provisioning::saga`, `removal` and `steps::postgresql` have them.
//!
//! What the platform database does in one statement or transaction is one action here. A worker that freezes is one that does not
//! act while others do, so every action of a worker may come late. Writes to the journal that only record that a step starts, or
//! that it is undone, are left out: the action that follows them has the same condition, and nothing depends on what they record.

/// A worker is an invocation of `provision-tenant`. With three, one can be late while another is late, too.
pub(super) const WORKERS: usize = 3;

pub(crate) const NO_ORPHAN: &str = "nothing exists after an operation has failed";
pub(crate) const COMPLETE_OR_ABSENT: &str = "the database exists after an operation has succeeded";
pub(super) const ONE_OWNER: &str = "at most one worker can write to the journal";
pub(super) const TOKENS_RISE: &str = "the token of the lease is the newest of the database";
pub(super) const ENDS: &str = "the operation ends";
pub(super) const NO_DEAD_END: &str = "nothing stops before the operation has ended";

/// The rules, each of which a test removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a rule, independent of the others")]
pub(crate) struct Rules {
    /// `journal::begin_rollback` raises the fencing token, and the worker goes on with the new one.
    pub(crate) rollback_takes_new_token: bool,
    /// `steps::postgresql::end_earlier_sessions` ends the sessions with earlier tokens.
    pub(crate) takeover_ends_sessions: bool,
    /// `steps::postgresql::begin_session` and `open_pooled` set the application name, and then check the lease.
    pub(crate) session_is_named_before_check: bool,
    /// Every statement of the journal has the condition on `lease_token`.
    pub(crate) journal_checks_token: bool,
    /// `journal::succeed` has the condition on the status.
    pub(crate) success_requires_running: bool,
}

impl Rules {
    pub(crate) const ALL: Self = Self {
        rollback_takes_new_token: true,
        takeover_ends_sessions: true,
        session_is_named_before_check: true,
        journal_checks_token: true,
        success_requires_running: true,
    };
}

pub(crate) struct Lease {
    pub(crate) rules: Rules,
    pub(crate) faults: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Status {
    Running,
    Undoing,
    Succeeded,
    Failed,
}

/// A statement that a session of the cluster runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Statement {
    Create,
    Drop,
}

/// A session with the cluster. Its application name contains the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Session {
    pub(super) token: u8,
    pub(super) runs: Option<Statement>,
    /// The worker at the other end; `None` if the connection is lost, and the server goes on.
    pub(super) worker: Option<usize>,
}

/// What a worker does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Next {
    /// Open a session, and give it its name.
    Open(Statement),
    /// `StepContext::check_lease`.
    Check(Statement),
    /// End the sessions of earlier workers.
    EndEarlier(Statement),
    Send(Statement),
    Await(Statement),
    /// Record that the step has succeeded.
    RecordSuccess,
    /// `platform::activate`.
    Activate,
    /// Record the failure of the step, after which the operation is postponed or rolled back.
    RecordFailure,
    /// `journal::begin_rollback`.
    BeginRollback,
    /// `platform::fail`.
    Fail,
    /// `journal::postpone`.
    Postpone,
}

/// Every lease and every rollback has a token of its own, so workers are distinguished by theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Worker {
    pub(super) token: u8,
    pub(super) next: Next,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(super) status: Status,
    /// `operations.lease_token`
    pub(super) lease_token: u8,
    /// Whether `operations.lease_expires_at` is in the future.
    pub(super) is_leased: bool,
    /// `tenant_databases.fence_token`
    pub(super) fence_token: u8,
    /// Whether the journal contains the step as succeeded.
    pub(super) is_recorded: bool,
    /// Whether the database exists.
    pub(super) exists: bool,
    /// Sorted.
    pub(super) sessions: Vec<Session>,
    /// Sorted by their tokens, because otherwise they are alike.
    pub(super) workers: [Option<Worker>; WORKERS],
    pub(super) faults: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// `journal::take`
    Take(usize),
    Act(usize),
    /// The fault that the worker met is permanent, or the budget is spent. Otherwise its next action postpones the operation.
    GiveUp(usize),
    /// Another branch of the saga fails for good.
    FailElsewhere(usize),
    Die(usize),
    /// The worker loses its connection. The server goes on with the statement.
    LoseConnection(usize),
    LeaseExpires,
    /// `manage::abandon`
    Abandon,
    /// The server completes the statement of a session, by its index.
    Complete(usize),
}

impl State {
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.status, Status::Succeeded | Status::Failed)
    }

    /// The condition `lease_token = $2 AND finished_at IS NULL` of the journal.
    pub(super) fn holds(&self, rules: Rules, token: u8) -> bool {
        !self.has_ended() && (self.lease_token == token || !rules.journal_checks_token)
    }

    pub(super) fn session_of(&self, worker: usize) -> Option<usize> {
        self.sessions.iter().position(|session| session.worker == Some(worker))
    }

    /// The worker's connection ends. The server notices it only when it has completed what it runs.
    pub(super) fn disconnect(&mut self, worker: usize) {
        for session in &mut self.sessions {
            if session.worker == Some(worker) {
                session.worker = None;
            }
        }
        self.sessions.retain(|session| session.worker.is_some() || session.runs.is_some());
    }

    pub(super) fn stop(&mut self, worker: usize) {
        self.disconnect(worker);
        self.workers[worker] = None;
    }

    pub(super) fn sort(&mut self) {
        let mut order: [usize; WORKERS] = std::array::from_fn(|index| index);
        order.sort_by_key(|index| self.workers[*index].map_or(u8::MAX, |worker| worker.token));
        self.workers = order.map(|index| self.workers[index]);
        for worker in self.sessions.iter_mut().filter_map(|session| session.worker.as_mut()) {
            *worker = order.iter().position(|index| index == worker).expect("every worker is in the order");
        }
        self.sessions.sort_unstable();
    }

    pub(super) fn raise_token(&mut self) {
        self.fence_token += 1;
        self.lease_token = self.fence_token;
    }
}

impl Lease {
    pub(super) fn take(&self, state: &mut State, worker: usize) {
        state.raise_token();
        state.is_leased = true;
        let next = match (state.status, state.is_recorded) {
            (Status::Undoing, _) => self.first(Statement::Drop),
            (_, true) => Next::Activate,
            (_, false) => self.first(Statement::Create),
        };
        state.workers[worker] = Some(Worker { token: state.lease_token, next });
    }

    /// The next action of a worker. `None` while it waits for the server.
    pub(super) fn act(&self, state: &mut State, index: usize) -> Option<()> {
        let mut worker = state.workers[index]?;
        let is_held = state.holds(self.rules, worker.token);
        let writes_journal = matches!(
            worker.next,
            Next::Check(_)
                | Next::RecordSuccess
                | Next::Activate
                | Next::RecordFailure
                | Next::BeginRollback
                | Next::Fail
                | Next::Postpone
        );
        // `JournalError::Fenced`: the worker stops, and writes nothing more.
        if writes_journal && !is_held {
            state.stop(index);
            return Some(());
        }
        worker.next = match worker.next {
            Next::Open(statement) => {
                state.sessions.push(Session { token: worker.token, runs: None, worker: Some(index) });
                if self.rules.session_is_named_before_check {
                    Next::Check(statement)
                } else {
                    Next::EndEarlier(statement)
                }
            }
            Next::Check(statement) if self.rules.session_is_named_before_check => Next::EndEarlier(statement),
            Next::Check(statement) => Next::Open(statement),
            Next::EndEarlier(statement) => {
                if worker.token > 1 && self.rules.takeover_ends_sessions {
                    state.sessions.retain(|session| session.token >= worker.token);
                }
                Next::Send(statement)
            }
            Next::Send(statement) => match state.session_of(index) {
                Some(session) => {
                    state.sessions[session].runs = Some(statement);
                    Next::Await(statement)
                }
                None => after_error(statement),
            },
            Next::Await(statement) => match state.session_of(index) {
                Some(session) if state.sessions[session].runs.is_some() => return None,
                Some(_) => {
                    state.disconnect(index);
                    if statement == Statement::Create { Next::RecordSuccess } else { Next::Fail }
                }
                None => after_error(statement),
            },
            Next::RecordSuccess => {
                state.is_recorded = true;
                Next::Activate
            }
            Next::Activate => {
                if state.status != Status::Running && self.rules.success_requires_running {
                    state.stop(index);
                    return Some(());
                }
                state.status = Status::Succeeded;
                state.is_leased = false;
                state.stop(index);
                return Some(());
            }
            Next::RecordFailure => Next::Postpone,
            Next::BeginRollback => {
                state.status = Status::Undoing;
                if self.rules.rollback_takes_new_token {
                    state.raise_token();
                    worker.token = state.lease_token;
                }
                self.first(Statement::Drop)
            }
            Next::Fail => {
                if state.status == Status::Undoing {
                    state.status = Status::Failed;
                    state.is_leased = false;
                }
                state.stop(index);
                return Some(());
            }
            Next::Postpone => {
                state.is_leased = false;
                state.stop(index);
                return Some(());
            }
        };
        state.workers[index] = Some(worker);
        Some(())
    }

    /// How a step begins to work on the cluster.
    fn first(&self, statement: Statement) -> Next {
        if self.rules.session_is_named_before_check { Next::Open(statement) } else { Next::Check(statement) }
    }
}

/// A failed undo is postponed, whatever the error is (`Saga::remove_later`).
fn after_error(statement: Statement) -> Next {
    match statement {
        Statement::Create => Next::RecordFailure,
        Statement::Drop => Next::Postpone,
    }
}
