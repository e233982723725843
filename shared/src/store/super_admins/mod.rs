//! Super-admins: the operators of the platform.

mod accounts;
mod sign_in;
mod standing;

pub use accounts::{
    Change, NewOperator, OperatorFilter, find_for_update, insert, list, lock_owners, set_password, update,
};
pub use sign_in::{Credentials, exists, find_credentials, find_own_credentials, insert_first};
pub(super) use standing::find_asked;
pub use standing::{Asked, OperatorName, Standing, find_standing};
