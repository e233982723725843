//! Super-admins: the operators of the platform.

mod accounts;
mod sign_in;
mod standing;

pub use accounts::{
    Change, NewOperator, OperatorFilter, find_for_update, insert, list, lock_owners, set_password, update,
};
pub use sign_in::{Credentials, exists, find_credentials, find_own_credentials, insert_first};
pub(super) use standing::find_with_standing;
pub use standing::{OperatorName, Standing, WithStanding, find_standing};
