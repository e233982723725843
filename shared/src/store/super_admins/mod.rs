//! Super-admins: the operators of the platform.

mod accounts;
mod sign_in;

pub use accounts::{
    Change, NewOperator, OperatorFilter, find_for_update, insert, list, lock_owners, set_password, update,
};
pub use sign_in::{
    Credentials, OperatorName, Standing, exists, find_credentials, find_own_credentials, find_standing, insert_first,
};
