//! `cargo dev token`

use std::{process::ExitCode, time::Duration};

use serde_json::{Value, json};

use crate::{
    checkout::Checkout,
    commands::print,
    environment::FIRST_ADMIN_EMAIL,
    failure::{Failure, Result},
    probe,
    stack::Stack,
};

use Trouble::{Refused, Silent};

/// Prints a super-admin's bearer token.
pub(crate) fn run(checkout: Checkout) -> Result<ExitCode> {
    print(&format!("{}\n", sign_in(&Stack::load(checkout)?, Duration::from_mins(1))?));
    Ok(ExitCode::SUCCESS)
}

/// Why there is no token.
pub(crate) enum Trouble {
    /// Nobody answered, in time or at all.
    Silent(Failure),
    /// The answer was no.
    Refused(Failure),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Silent(failure) | Refused(failure) => failure,
        }
    }
}

/// Signs in as the first super-admin, as any client would.
pub(crate) fn sign_in(stack: &Stack, patience: Duration) -> Result<String, Trouble> {
    let what = "Signing in failed";
    let silent =
        |error: ureq::Error| Silent(Failure::new(what, error).remedy("Are the functions up? See: cargo dev status"));
    let credentials = json!({ "email": FIRST_ADMIN_EMAIL, "password": stack.secrets.first_admin_password }).to_string();
    let mut response = probe::http(patience)
        .post(&format!("{}/api/super-admin/auth/login", stack.api_url()))
        .content_type("application/json")
        .send(credentials)
        .map_err(silent)?;
    let status = response.status().as_u16();
    let body = response.body_mut().read_to_string().map_err(silent)?;
    let answer: Option<Value> = serde_json::from_str(&body).ok();
    match answer.as_ref().and_then(|answer| answer.get("access_token")?.as_str()) {
        Some(token) if status == 200 => Ok(token.to_owned()),
        _ => {
            let failure = Failure::new(what, format!("the API answers {status} {body}"));
            Err(Refused(failure.remedy("See: cargo dev logs functions")))
        }
    }
}
