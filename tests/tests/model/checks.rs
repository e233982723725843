//! What can happen, and what must hold whatever happens.

use stateright::{Model, Property};

use crate::lease::{
    Action, COMPLETE_OR_ABSENT, ENDS, Lease, NO_DEAD_END, NO_ORPHAN, Next, ONE_OWNER, State, Statement, Status,
    TOKENS_RISE, WORKERS, Worker,
};

impl Model for Lease {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            status: Status::Running,
            lease_token: 0,
            is_leased: false,
            fence_token: 0,
            is_recorded: false,
            exists: false,
            sessions: Vec::new(),
            workers: [None; WORKERS],
            faults: self.faults,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let may_fail = state.faults > 0;
        for (index, worker) in state.workers.iter().enumerate() {
            let Some(worker) = worker else {
                // The first one without work, because they are alike.
                if !state.has_ended()
                    && !state.is_leased
                    && state.workers.iter().position(Option::is_none) == Some(index)
                {
                    actions.push(Action::Take(index));
                }
                continue;
            };
            match worker.next {
                Next::RecordFailure => actions.extend([Action::Act(index), Action::GiveUp(index)]),
                Next::Await(_) if state.session_of(index).is_some_and(|one| state.sessions[one].runs.is_some()) => {}
                _ => actions.push(Action::Act(index)),
            }
            if may_fail {
                actions.push(Action::Die(index));
                if matches!(worker.next, Next::Await(_)) && state.session_of(index).is_some() {
                    actions.push(Action::LoseConnection(index));
                }
                if worker.next == Next::Activate {
                    actions.push(Action::FailElsewhere(index));
                }
            }
        }
        let holder = state.workers.iter().flatten().any(|worker| worker.token == state.lease_token);
        if state.is_leased && (may_fail || !holder) {
            actions.push(Action::LeaseExpires);
        }
        if may_fail && state.status == Status::Running {
            actions.push(Action::Abandon);
        }
        let running = state.sessions.iter().enumerate().filter(|(_, session)| session.runs.is_some());
        actions.extend(running.map(|(index, _)| Action::Complete(index)));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Take(index) => self.take(&mut state, index),
            Action::Act(index) => self.act(&mut state, index)?,
            Action::GiveUp(index) => state.workers[index].as_mut()?.next = Next::BeginRollback,
            Action::FailElsewhere(index) => {
                state.faults -= 1;
                state.workers[index].as_mut()?.next = Next::BeginRollback;
            }
            Action::Die(index) => {
                state.faults -= 1;
                state.stop(index);
            }
            Action::LoseConnection(index) => {
                state.faults -= 1;
                state.disconnect(index);
            }
            Action::LeaseExpires => {
                // A worker that is alive lets its lease expire only if it is frozen.
                if state.workers.iter().flatten().any(|worker| worker.token == state.lease_token) {
                    state.faults -= 1;
                }
                state.is_leased = false;
            }
            Action::Abandon => {
                state.faults -= 1;
                state.raise_token();
                state.status = Status::Undoing;
                state.is_leased = false;
            }
            Action::Complete(index) => {
                let session = &mut state.sessions[index];
                // `DROP DATABASE IF EXISTS` does not see what another session has not committed.
                state.exists = session.runs.take()? == Statement::Create;
                state.sessions.retain(|session| session.worker.is_some() || session.runs.is_some());
            }
        }
        state.sort();
        Some(state)
    }

    fn within_boundary(&self, state: &State) -> bool {
        // With all rules, each fault costs two tokens at most. Without one of them, workers can take the lease from each other for ever.
        state.fence_token <= 2 + 2 * self.faults
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            // All states are checked, also those after the end, so this includes what a late request does.
            Property::always(NO_ORPHAN, |_, state: &State| state.status != Status::Failed || !state.exists),
            Property::always(COMPLETE_OR_ABSENT, |_, state: &State| state.status != Status::Succeeded || state.exists),
            Property::always(ONE_OWNER, |model: &Self, state: &State| {
                let can_write = |worker: &&Worker| state.holds(model.rules, worker.token);
                state.workers.iter().flatten().filter(can_write).count() <= 1
            }),
            Property::always(TOKENS_RISE, |_, state: &State| {
                state.lease_token == state.fence_token
                    && state.workers.iter().flatten().all(|worker| worker.token <= state.fence_token)
            }),
            // Every behaviour is finite, because faults are, and an operation returns to its beginning only after a fault.
            Property::always(NO_DEAD_END, |model: &Self, state: &State| {
                let mut actions = Vec::new();
                model.actions(state, &mut actions);
                !actions.is_empty() || state.has_ended()
            }),
            Property::eventually(ENDS, |_, state: &State| state.has_ended()),
            Property::sometimes("an operation succeeds", |_, state: &State| state.status == Status::Succeeded),
            Property::sometimes("an operation fails", |_, state: &State| state.status == Status::Failed),
            Property::sometimes("a statement goes on without its worker", |_, state: &State| {
                state.sessions.iter().any(|session| session.worker.is_none())
            }),
        ]
    }
}
