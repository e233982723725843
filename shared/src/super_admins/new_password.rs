//! The rule for new passwords that depends on the account. All other rules are in [`NewPassword`].

use crate::{
    error::{Error, Result},
    types::{FaultCode, InvalidValue, NewPassword},
};

/// Checks that the password is hard to guess for someone who knows the account's e-mail address. `pointer` is the
/// password's place in the request body.
pub fn check_new_password(password: &NewPassword, email: &str, pointer: &str) -> Result<()> {
    if password.is_guessable_from(&[email]) {
        return Err(Error::invalid_body(
            pointer,
            InvalidValue::new(FaultCode::WeakPassword, "is too easy to guess from the e-mail address"),
        ));
    }
    Ok(())
}
