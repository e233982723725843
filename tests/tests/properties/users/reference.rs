//! What requests about users must lead to.

use proptest::{prelude::*, sample::select};
use proptest_state_machine::ReferenceStateMachine;
use shared::users::UserRole;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The tenant's database cannot be reached.
    Cut,
    /// The tenant's database commits, and its answer is lost.
    Lost,
    /// The same, and the client repeats the request with the same idempotency key.
    LostAndRepeated,
}

#[derive(Debug, Clone)]
pub(crate) enum Transition {
    Add {
        email: u8,
        role: UserRole,
        fault: Fault,
    },
    Change {
        user: usize,
        name: Option<u8>,
        role: Option<UserRole>,
        is_active: Option<bool>,
        password: bool,
        fault: Fault,
    },
    /// Of the number of seats.
    Limit(Option<i64>),
    /// The relay runs.
    Settle,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelUser {
    pub(super) email: String,
    pub(super) name: String,
    pub(super) role: UserRole,
    pub(super) is_active: bool,
    pub(super) revision: i64,
}

/// The state that the rules require, and the response to the last request: its status, and the type of its problem.
#[derive(Debug, Clone)]
pub(crate) struct TenantUsers {
    pub(super) limit: Option<i64>,
    pub(super) users: Vec<ModelUser>,
    /// Type, e-mail address and revision of each event.
    pub(super) events: Vec<(&'static str, String, i64)>,
    pub(super) response: (u16, &'static str),
}

impl TenantUsers {
    fn has_seat(&self) -> bool {
        self.limit
            .is_none_or(|limit| self.users.iter().filter(|user| user.is_active).count() < limit.try_into().unwrap())
    }

    fn has_other_admin(&self, user: usize) -> bool {
        let is_active_admin = |user: &ModelUser| user.role == UserRole::Admin && user.is_active;
        self.users.iter().enumerate().any(|(index, other)| index != user && is_active_admin(other))
    }

    fn add(&mut self, email: u8, role: UserRole, fault: Fault) -> (u16, &'static str) {
        let email = email_of(email);
        if fault == Fault::Cut {
            return (503, "unavailable");
        }
        if !self.has_seat() {
            return (409, "seats-exhausted");
        }
        if self.users.iter().any(|user| user.email == email) {
            return (409, "email-taken");
        }
        self.events.push(("user.created", email.clone(), 1));
        self.users.push(ModelUser { email, name: name_of(0), role, is_active: true, revision: 1 });
        if fault == Fault::None { (201, "") } else { (503, "unavailable") }
    }

    fn change(&mut self, wanted: &Transition) -> (u16, &'static str) {
        let Transition::Change { user, name, role, is_active, password, fault } = wanted else { unreachable!() };
        let index = user % self.users.len();
        let before = self.users[index].clone();
        if *fault == Fault::Cut {
            return (503, "unavailable");
        }
        let name = name.map_or(before.name.clone(), name_of);
        let role = role.unwrap_or(before.role);
        let is_active = is_active.unwrap_or(before.is_active);
        if !password && name == before.name && role == before.role && is_active == before.is_active {
            return (200, "");
        }
        let was_active_admin = before.role == UserRole::Admin && before.is_active;
        if was_active_admin && !(role == UserRole::Admin && is_active) && !self.has_other_admin(index) {
            return (409, "last-admin");
        }
        if !before.is_active && is_active && !self.has_seat() {
            return (409, "seats-exhausted");
        }
        let revision = before.revision + 1;
        let mut happened = Vec::new();
        if name != before.name || role != before.role {
            happened.push("user.updated");
        }
        match (before.is_active, is_active) {
            (true, false) => happened.push("user.deactivated"),
            (false, true) => happened.push("user.reactivated"),
            _ => {}
        }
        if *password {
            happened.push("user.password_reset");
        }
        self.events.extend(happened.into_iter().map(|kind| (kind, before.email.clone(), revision)));
        self.users[index] = ModelUser { name, role, is_active, revision, ..before };
        if *fault == Fault::None { (200, "") } else { (503, "unavailable") }
    }
}

pub(super) fn email_of(number: u8) -> String {
    format!("user{number}@kopi.example")
}

pub(super) fn name_of(number: u8) -> String {
    format!("Budi Santoso {number}")
}

impl ReferenceStateMachine for TenantUsers {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        prop::option::weighted(0.8, 1_i64..=4)
            .prop_map(|limit| Self {
                limit,
                users: vec![ModelUser {
                    email: "sari@kopi.example".to_owned(),
                    name: "Sari Wulandari".to_owned(),
                    role: UserRole::Admin,
                    is_active: true,
                    revision: 1,
                }],
                events: Vec::new(),
                response: (0, ""),
            })
            .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Transition> {
        let roles = || select(vec![UserRole::Admin, UserRole::Supervisor, UserRole::Agent]);
        let fault = || prop_oneof![6 => Just(Fault::None), 1 => Just(Fault::Cut), 3 => Just(Fault::Lost)];
        let fault_of_add = prop_oneof![3 => fault(), 1 => Just(Fault::LostAndRepeated)];
        let add =
            (0_u8..6, roles(), fault_of_add).prop_map(|(email, role, fault)| Transition::Add { email, role, fault });
        let change = (
            0..state.users.len(),
            prop::option::weighted(0.3, 0_u8..3),
            prop::option::weighted(0.5, roles()),
            prop::option::weighted(0.6, any::<bool>()),
            prop::bool::weighted(0.15),
            fault(),
        )
            .prop_map(|(user, name, role, is_active, password, fault)| Transition::Change {
                user,
                name,
                role,
                is_active,
                password,
                fault,
            });
        let limit = prop::option::weighted(0.8, 1_i64..=5).prop_map(Transition::Limit);
        prop_oneof![4 => add, 8 => change, 1 => limit, 1 => Just(Transition::Settle)].boxed()
    }

    fn apply(mut state: Self, transition: &Transition) -> Self {
        state.response = match transition {
            Transition::Add { email, role, fault } => state.add(*email, *role, *fault),
            Transition::Change { .. } => state.change(transition),
            Transition::Limit(limit) => {
                state.limit = *limit;
                (200, "")
            }
            Transition::Settle => (0, ""),
        };
        state
    }
}
