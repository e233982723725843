//! The transitions of tenants.

use proptest::{prelude::*, sample::select};
use proptest_state_machine::ReferenceStateMachine;
use shared::{operations::OperationKind, provisioning::Moment};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disturbance {
    /// The worker goes no further, and its process is gone.
    Die,
    /// It goes no further until it is woken up.
    Freeze,
    Unavailable,
    Transient,
    Permanent,
}

/// The tenant that a transition concerns, by its number among those that exist.
#[derive(Debug, Clone)]
pub(crate) enum Transition {
    Create,
    /// A worker gets a message about the tenant's newest operation, after the lease and the wait are over.
    Work {
        tenant: usize,
        disturbed: Option<(Moment, Disturbance)>,
    },
    /// The worker that has been frozen the longest continues.
    Wake,
    /// The operation has no time left.
    SpendBudget {
        tenant: usize,
    },
    RetryOperation {
        tenant: usize,
    },
    Abandon {
        tenant: usize,
    },
    Retry {
        tenant: usize,
    },
    Limit {
        tenant: usize,
        max_agents: i64,
    },
    Suspend {
        tenant: usize,
    },
    Resume {
        tenant: usize,
    },
}

/// The number of tenants.
#[derive(Debug, Clone)]
pub(crate) struct Tenants(usize);

/// The moments of all steps. At one that a step does not report, nothing is disturbed.
fn moments() -> Vec<Moment> {
    let of_step = |step| {
        [
            Moment::Applying(step),
            Moment::Applied(step),
            Moment::Recorded(step),
            Moment::Undoing(step),
            Moment::Undone(step),
        ]
    };
    let mut moments: Vec<Moment> = OperationKind::Provision.steps().iter().copied().flat_map(of_step).collect();
    moments.extend([Moment::Leased, Moment::BeginningRollback, Moment::RollbackBegun, Moment::Failing, Moment::Ended]);
    moments
}

impl ReferenceStateMachine for Tenants {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self(0)).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Transition> {
        if state.0 == 0 {
            return Just(Transition::Create).boxed();
        }
        let tenant = 0..state.0;
        let disturbances = vec![
            Disturbance::Die,
            Disturbance::Freeze,
            Disturbance::Unavailable,
            Disturbance::Transient,
            Disturbance::Permanent,
        ];
        let disturbed = prop::option::weighted(0.7, (select(moments()), select(disturbances)));
        prop_oneof![
            2 => Just(Transition::Create),
            12 => (tenant.clone(), disturbed).prop_map(|(tenant, disturbed)| Transition::Work { tenant, disturbed }),
            2 => Just(Transition::Wake),
            1 => tenant.clone().prop_map(|tenant| Transition::SpendBudget { tenant }),
            1 => tenant.clone().prop_map(|tenant| Transition::RetryOperation { tenant }),
            2 => tenant.clone().prop_map(|tenant| Transition::Abandon { tenant }),
            2 => tenant.clone().prop_map(|tenant| Transition::Retry { tenant }),
            1 => (tenant.clone(), 1_i64..9).prop_map(|(tenant, max_agents)| Transition::Limit { tenant, max_agents }),
            1 => tenant.clone().prop_map(|tenant| Transition::Suspend { tenant }),
            1 => tenant.prop_map(|tenant| Transition::Resume { tenant }),
        ]
        .boxed()
    }

    fn apply(state: Self, transition: &Transition) -> Self {
        Self(state.0 + usize::from(matches!(transition, Transition::Create)))
    }

    fn preconditions(state: &Self, transition: &Transition) -> bool {
        // Each tenant costs two databases.
        match transition {
            Transition::Create => state.0 < 3,
            _ => state.0 > 0,
        }
    }
}
