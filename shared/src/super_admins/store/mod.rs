//! Super-admins: the operators of the platform.

mod accounts;
mod sign_in;
mod state;

pub use accounts::{
    Change, NewSuperAdmin, SuperAdminFilter, find_for_update, insert, list, lock_owners, set_password, update,
};
pub use sign_in::{Credentials, exists, find_credentials, find_own_credentials, insert_first};
pub use state::find_with_super_admin_state;
pub use state::{SuperAdminKey, SuperAdminState, WithSuperAdminState, find_state};
