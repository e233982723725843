//! SQL of the table `super_admins`.

mod accounts;
mod credentials;
mod state;

pub use accounts::{
    NewSuperAdmin, find_by_email_for_update, find_for_update, find_with_reader_state, insert, list, lock_owners,
    set_own_password, set_temporary_password, update,
};
pub use credentials::{StoredCredentials, exists, find_credentials, find_own_credentials, insert_first};
pub use state::{SuperAdminKey, SuperAdminState, WithSuperAdminState, find_state, find_with_super_admin_state};
