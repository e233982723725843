//! What requests about impersonations must lead to, and what Redis must contain.

use proptest::{prelude::*, sample::select};
use proptest_state_machine::ReferenceStateMachine;
use shared::types::SuperAdminRole;

const ADMINS: usize = 2;
pub(super) const USERS: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Redis cannot be reached.
    WithoutRedis,
    /// The tenant's database commits the start, and its answer is lost.
    Lost,
}

#[derive(Debug, Clone)]
pub(crate) enum Transition {
    Start {
        admin: usize,
        user: usize,
        write: bool,
        fault: Fault,
    },
    /// By the number of the impersonation, of those that have begun.
    End {
        session: usize,
        fault: Fault,
    },
    SetRole {
        admin: usize,
        role: SuperAdminRole,
        fault: Fault,
    },
    Disable {
        admin: usize,
        disabled: bool,
        fault: Fault,
    },
    Deactivate {
        user: usize,
        deactivated: bool,
        fault: Fault,
    },
    Suspend {
        suspended: bool,
        fault: Fault,
    },
    /// Redis loses all data.
    Flush,
    /// The relay runs.
    Settle,
}

#[derive(Debug, Clone)]
pub(super) struct Admin {
    pub(super) role: SuperAdminRole,
    pub(super) is_disabled: bool,
    pub(super) session_epoch: i32,
}

#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) admin: usize,
    pub(super) user: usize,
    pub(super) is_live: bool,
    /// Whether Redis makes a service accept the token.
    pub(super) is_accepted: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Impersonations {
    pub(super) admins: [Admin; ADMINS],
    pub(super) deactivated: [bool; USERS],
    pub(super) is_suspended: bool,
    pub(super) sessions: Vec<Session>,
    pub(super) response: (u16, &'static str),
}

impl Impersonations {
    fn end(&mut self, fault: Fault, ends: impl Fn(&Session) -> bool) {
        for session in self.sessions.iter_mut().filter(|session| session.is_live && ends(session)) {
            session.is_live = false;
            // Without Redis, the denial waits in the outbox.
            session.is_accepted &= fault == Fault::WithoutRedis;
        }
    }

    fn start(&mut self, admin: usize, user: usize, write: bool, fault: Fault) -> (u16, &'static str) {
        let Admin { role, is_disabled, .. } = self.admins[admin];
        let needed = if write { SuperAdminRole::Owner } else { SuperAdminRole::Operator };
        let is_open = |session: &Session| session.is_live && (session.admin, session.user) == (admin, user);
        if is_disabled {
            return (401, "");
        }
        if !role.allows(needed) {
            return (403, "");
        }
        if fault == Fault::WithoutRedis {
            return (503, "unavailable");
        }
        if self.is_suspended {
            return (409, "tenant-not-active");
        }
        if self.deactivated[user] {
            return (409, "user-deactivated");
        }
        if self.sessions.iter().any(is_open) {
            return (409, "impersonation-live");
        }
        if fault == Fault::Lost {
            return (503, "unavailable");
        }
        self.sessions.push(Session { admin, user, is_live: true, is_accepted: true });
        (201, "")
    }

    pub(super) fn change(&mut self, transition: &Transition) -> (u16, &'static str) {
        match *transition {
            Transition::Start { admin, user, write, fault } => self.start(admin, user, write, fault),
            Transition::End { session, fault } => {
                let session = session % self.sessions.len();
                if self.sessions[session].is_live {
                    self.sessions[session].is_live = false;
                    self.sessions[session].is_accepted &= fault == Fault::WithoutRedis;
                }
                (204, "")
            }
            Transition::SetRole { admin, role, fault } => {
                let before = std::mem::replace(&mut self.admins[admin].role, role);
                if !role.allows(before) {
                    self.end(fault, |session| session.admin == admin);
                }
                (200, "")
            }
            Transition::Disable { admin, disabled, fault } => {
                let was_disabled = std::mem::replace(&mut self.admins[admin].is_disabled, disabled);
                if disabled && !was_disabled {
                    self.admins[admin].session_epoch += 1;
                    self.end(fault, |session| session.admin == admin);
                }
                (200, "")
            }
            Transition::Deactivate { user, deactivated, fault } => {
                if self.is_suspended {
                    return (409, "tenant-not-active");
                }
                self.deactivated[user] = deactivated;
                if deactivated {
                    self.end(fault, |session| session.user == user);
                }
                (200, "")
            }
            Transition::Suspend { suspended, fault } => {
                if self.is_suspended == suspended {
                    return (409, "tenant-status-not-settable");
                }
                self.is_suspended = suspended;
                if suspended {
                    self.end(fault, |_| true);
                }
                (200, "")
            }
            Transition::Flush => {
                self.sessions.iter_mut().for_each(|session| session.is_accepted = false);
                (0, "")
            }
            Transition::Settle => {
                self.sessions.iter_mut().for_each(|session| session.is_accepted = session.is_live);
                (0, "")
            }
        }
    }
}

impl ReferenceStateMachine for Impersonations {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        let role = || select(vec![SuperAdminRole::Owner, SuperAdminRole::Operator]);
        let admin = |role| Admin { role, is_disabled: false, session_epoch: 0 };
        (role(), role())
            .prop_map(move |(one, other)| Self {
                admins: [admin(one), admin(other)],
                deactivated: [false; USERS],
                is_suspended: false,
                sessions: Vec::new(),
                response: (0, ""),
            })
            .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Transition> {
        let fault = || prop_oneof![3 => Just(Fault::None), 1 => Just(Fault::WithoutRedis)];
        let fault_of_start = prop_oneof![6 => fault(), 1 => Just(Fault::Lost)];
        let (admin, user) = (|| 0..ADMINS, || 0..USERS);
        let roles = select(vec![SuperAdminRole::Owner, SuperAdminRole::Operator, SuperAdminRole::Viewer]);
        let end = (any::<prop::sample::Index>(), fault());
        let sessions = state.sessions.len().max(1);
        prop_oneof![
            10 => (admin(), user(), prop::bool::weighted(0.3), fault_of_start)
                .prop_map(|(admin, user, write, fault)| Transition::Start { admin, user, write, fault }),
            3 => end.prop_map(move |(session, fault)| Transition::End { session: session.index(sessions), fault }),
            2 => (admin(), roles, fault()).prop_map(|(admin, role, fault)| Transition::SetRole { admin, role, fault }),
            2 => (admin(), any::<bool>(), fault())
                .prop_map(|(admin, disabled, fault)| Transition::Disable { admin, disabled, fault }),
            2 => (user(), any::<bool>(), fault())
                .prop_map(|(user, deactivated, fault)| Transition::Deactivate { user, deactivated, fault }),
            1 => (any::<bool>(), fault()).prop_map(|(suspended, fault)| Transition::Suspend { suspended, fault }),
            2 => Just(Transition::Flush),
            3 => Just(Transition::Settle),
        ]
        .boxed()
    }

    fn apply(mut state: Self, transition: &Transition) -> Self {
        state.response = state.change(transition);
        state
    }

    fn preconditions(state: &Self, transition: &Transition) -> bool {
        !matches!(transition, Transition::End { .. }) || !state.sessions.is_empty()
    }
}
